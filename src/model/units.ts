/** The one place where units change. Kernel interfaces: proc_pid_stat(5), proc_pid_statm(5), proc_pid_status(5). */

/** /proc reports in USER_HZ, which is 100 on every architecture Linux still runs VMs on; HZ does not matter. */
export const USER_HZ = 100;
/** Decimal exponent of a clock tick: 10^-2 s. */
export const TICK_DECIMALS = 2;
/** Decimal exponent of a microsecond. */
export const MICROSECOND_DECIMALS = 6;

export const kibToBytes = (kib: number): number => kib * 1024;
export const bytesToKib = (bytes: number): number => bytes / 1024;
export const mibToBytes = (mib: number): number => mib * 1024 * 1024;
export const ticksToSeconds = (ticks: number): number => ticks / USER_HZ;
export const ticksToMicroseconds = (ticks: number): number => (ticks * 1e6) / USER_HZ;
export const ticksToMilliseconds = (ticks: number): number => (ticks * 1000) / USER_HZ;
export const millisecondsToSeconds = (ms: number): number => ms / 1000;
export const microsecondsToSeconds = (us: number): number => us / 1e6;
export const secondsToMilliseconds = (seconds: number): number => seconds * 1000;

/** RFC 3339 in UTC with milliseconds; null where the instant is unknown. */
export const timestamp = (unixMs: number | null): string | null =>
  unixMs !== null && Number.isFinite(unixMs) ? new Date(unixMs).toISOString() : null;
