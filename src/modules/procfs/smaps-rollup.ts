import { kibToBytes } from '../../model/units.js';

/** Proportional set size in bytes: pages shared with n others count 1/n. */
export interface SmapsRollup {
  readonly pssBytes: number;
}

/**
 * /proc/<pid>/smaps_rollup, proc_pid_smaps_rollup: one header line, then "Name: n kB".
 * @returns null when Pss is missing or the text is cut
 */
export function parseSmapsRollup(text: string): SmapsRollup | null {
  if (!text.endsWith('kB\n')) return null;
  const pss = /^Pss: +(\d{1,15}) kB$/m.exec(text)?.[1];
  return pss === undefined ? null : { pssBytes: kibToBytes(Number(pss)) };
}
