/** Soft limits; Infinity where there is none. */
export interface ProcessLimits {
  readonly maxOpenFiles: number;
  /** NaN where the line is missing or cut. */
  readonly maxAddressSpaceBytes: number;
}

/**
 * /proc/<pid>/limits, proc_pid_limits(5): fixed columns, names with blanks in them.
 * @returns null when the line of open files is missing or cut
 */
export function parseLimits(text: string): ProcessLimits | null {
  const files = /^Max open files +(\d{1,15}|unlimited) +(?:\d+|unlimited) +files *\n/m.exec(text)?.[1];
  if (files === undefined) return null;
  // A limit below 2^64 is a limit; RLIM_INFINITY itself is printed as a word, getrlimit(2).
  const space = /^Max address space +(\d{1,20}|unlimited) +(?:\d+|unlimited) +bytes *\n/m.exec(text)?.[1];
  return { maxOpenFiles: limit(files), maxAddressSpaceBytes: space === undefined ? Number.NaN : limit(space) };
}

const limit = (soft: string): number => (soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft));
