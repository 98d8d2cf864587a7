import { basename } from 'node:path';
import { ID_PATTERN } from '../../model/instance.js';
import { KATA_SHIM } from '../hypervisor/program.js';

const HELPERS: ReadonlySet<string> = new Set(['start', 'delete']);
const SANDBOX = 'sandbox-';
const ID_CHARACTER = /[a-zA-Z0-9_.-]/;

/** What a process says that it is. */
export interface Program {
  readonly comm: string;
  readonly argv: readonly string[];
  /** Empty where we may not look. */
  readonly executable: string;
}

/**
 * The id for which a shim works: `-id <id>` as containerd and both runtimes write it. undefined for no shim, and for the short-lived
 * helpers `… start` and `… delete`, which have the same arguments.
 */
export function shimId(argv: readonly string[]): string | undefined {
  if (HELPERS.has(argv.at(-1) ?? '')) return undefined;
  const at = argv.findIndex((word, i) => i > 0 && /^--?id(?:=|$)/.test(word));
  if (at < 0) return undefined;
  const id = argv[at].includes('=') ? argv[at].slice(argv[at].indexOf('=') + 1) : argv[at + 1];
  return id !== undefined && ID_PATTERN.test(id) ? id : undefined;
}

/** Whether it is the program of a shim, as far as we may see: argv alone anybody can choose, for a program of root's that he may start, too. */
export const isShimProgram = ({ executable, argv }: Program): boolean => KATA_SHIM.test(executable === '' ? (argv[0] ?? '') : executable);

export const isVirtiofsd = ({ comm, argv, executable }: Program): boolean =>
  [comm, basename(argv[0] ?? ''), basename(executable)].some((name) => name.startsWith('virtiofsd'));

/** Whether an argument has the id as a word of its own: an id may be the beginning of another. */
export function namesId(argv: readonly string[], id: string): boolean {
  return argv.some((word) => {
    for (let at = word.indexOf(id); at >= 0; at = word.indexOf(id, at + 1)) {
      const begins = at === 0 || !ID_CHARACTER.test(word.charAt(at - 1)) || word.startsWith(SANDBOX, at - SANDBOX.length);
      if (begins && !ID_CHARACTER.test(word.charAt(at + id.length))) return true;
    }
    return false;
  });
}
