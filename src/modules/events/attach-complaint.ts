import type { TracingBlock } from '../../model/settings.js';
import type { BlockReason } from './words.js';

/** bpftrace complains of this at every start without CAP_SYS_RESOURCE; kernels since 5.11 do not count that memory. */
const HARMLESS = /RLIMIT_MEMLOCK|ulimit -l/;
/** At every start, too; with a line of the script and one that underlines it. */
const WARNINGS = /^.*\bWARNING: .*(?:\n.*\n *~+ *$)?/gm;
const MAX_WORDS = 300;

const REASONS: readonly (readonly [RegExp, BlockReason])[] = [
  [/lockdown/i, 'lockdown'],
  [/only supports running as the root|operation not permitted|permission denied/i, 'no_permission'],
  [/BTF/, 'no_btf'],
  [/not found|does not contain a field|no such file|unknown (struct|field|identifier|type)|error attaching/i, 'missing_tracepoint'],
];

/** What is worth reading of standard error: the first complaint, on one line. Empty: there is none. */
export function complaintIn(text: string): string {
  const lines = told(text).filter((line) => line.trim() !== '');
  return (lines.find((line) => /error/i.test(line)) ?? lines[0] ?? '').trim().slice(0, MAX_WORDS);
}

/** Why a script was not attached. @param text standard error */
export function attachReason(text: string): BlockReason {
  const words = told(text).join('\n');
  return REASONS.find(([pattern]) => pattern.test(words))?.[1] ?? 'verifier';
}

const told = (text: string): readonly string[] =>
  text
    .replace(WARNINGS, '')
    .split('\n')
    .filter((line) => !HARMLESS.test(line));

/**
 * The block to which the tracepoints belong that are named in standard error.
 * @param textOf the script of one block alone
 * @returns null where they belong to several blocks or none
 */
export function blamedBlock(text: string, blocks: readonly TracingBlock[], textOf: (block: TracingBlock) => string): TracingBlock | null {
  const named = new Set(namesIn(text));
  if (named.size === 0) return null;
  const blamed = blocks.filter((block) => probesIn(textOf(block)).some((probe) => named.has(probe)));
  return blamed.length === 1 ? blamed[0] : null;
}

/** `sched:sched_switch` of `tracepoint:sched:sched_switch {`. */
const probesIn = (script: string): readonly string[] =>
  [...script.matchAll(/\btracepoint:(\w+:\w+)/g)].map(([, name]) => name).flatMap((name) => [name, name.replace(':', '_')]);

/** Also `struct _tracepoint_sched_sched_switch`, as complaints of fields have it. */
const namesIn = (text: string): readonly string[] =>
  text
    .split('\n')
    .filter((line) => /error/i.test(line))
    .flatMap((line) => [
      ...(line.match(/[a-z0-9_:]+/g) ?? []).map((word) => word.replace(/^tracepoint:/, '')),
      ...[...line.matchAll(/\b_tracepoint_(\w+)/g)].map(([, name]) => name),
    ]);
