/** Soft limit of open files; Infinity where it is unlimited. */
export interface ProcessLimits {
  readonly maxOpenFiles: number;
}

/**
 * /proc/<pid>/limits, proc_pid_limits(5): fixed columns, names with blanks in them.
 * @returns null when the line is missing or cut
 */
export function parseLimits(text: string): ProcessLimits | null {
  const soft = /^Max open files +(\d{1,15}|unlimited) +(?:\d+|unlimited) +files *\n/m.exec(text)?.[1];
  if (soft === undefined) return null;
  return { maxOpenFiles: soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft) };
}
