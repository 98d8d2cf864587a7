import type { Host } from '../../host/host.js';
import type { BlockReason } from './words.js';

/** A tracepoint as its `format` file has it. */
export interface TracepointFormat {
  readonly fields: ReadonlySet<string>;
  /** How the kernel prints it, in C, with its constants as numbers. */
  readonly print: string;
}

/** What this kernel offers to trace. */
export interface TracepointCatalog {
  /** Whether it tells where the members of its structures are, /sys/kernel/btf/vmlinux. */
  readonly hasBtf: boolean;
  /** @param tracepoint as `sched/sched_switch`. @returns undefined where this kernel has none of that name */
  format(tracepoint: string): TracepointFormat | undefined;
}

/** A format file has a line for each field and one of how to print: those of a long list of flags have 6 KiB. */
const FORMAT_BYTES = 65_536;

/** Reads each format file when it is asked for, at most once. Costs a read of 1 KiB each. @returns why nothing can be traced */
export function readCatalog(host: Host): TracepointCatalog | BlockReason {
  if (isLocked(host)) return 'lockdown';
  const events = findEvents(host);
  if ('reason' in events) return events.reason;
  const formats = new Map<string, TracepointFormat | undefined>();
  return {
    hasBtf: host.exists(host.sys('kernel/btf/vmlinux')),
    format(tracepoint) {
      if (!formats.has(tracepoint)) {
        const text = host.tryReadText(`${events.path}/${tracepoint}/format`, FORMAT_BYTES);
        formats.set(tracepoint, text === undefined ? undefined : parseFormat(text));
      }
      return formats.get(tracepoint);
    },
  };
}

/** @returns undefined for a text that is cut off or no format */
export function parseFormat(text: string): TracepointFormat | undefined {
  const print = /^print fmt: (.*)$/m.exec(text)?.[1];
  if (print === undefined) return undefined;
  // `field:const void * skaddr;` and `field:__u8 saddr[28];`: the name is the last word before the semicolon.
  const fields = [...text.matchAll(/^\tfield:[^;\n]*?(\w+)(?:\[\d*\])?;\toffset:/gm)].map(([, name]) => name);
  return { fields: new Set(fields), print };
}

/** The file has `none [integrity] confidentiality`, the state in force in brackets: the last one forbids to read kernel memory. */
const isLocked = (host: Host): boolean =>
  host.tryReadText(host.sys('kernel/security/lockdown'), 4096)?.includes('[confidentiality]') ?? false;

/** tracefs has a mount of its own since Linux 4.1; before, and where nobody mounted it there, it is in debugfs. */
function findEvents(host: Host): { readonly path: string } | { readonly reason: BlockReason } {
  let reason: BlockReason = 'no_tracefs';
  for (const place of ['kernel/tracing', 'kernel/debug/tracing']) {
    const path = host.sys(place, 'events');
    try {
      host.list(path);
      return { path };
    } catch (error) {
      // Without a mount the directory is there and empty. Both are root's alone, mode 700.
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'EACCES' || code === 'EPERM') reason = 'no_permission';
    }
  }
  return { reason };
}
