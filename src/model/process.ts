import type { Outcome } from './outcome.js';

/** The numbers of /proc/<pid>/stat that the house uses, by index in `HeldProcess.stat`. Units are the kernel's: clock ticks, bytes, counts. */
export const Stat = {
  minorFaults: 0,
  majorFaults: 1,
  userTicks: 2,
  systemTicks: 3,
  threads: 4,
  startTicks: 5,
  virtualBytes: 6,
  guestTicks: 7,
  childUserTicks: 8,
  childSystemTicks: 9,
  residentPages: 10,
} as const;
export const STAT_LENGTH = 11;

/** A kernel file kept open. */
export interface KernelFile {
  /** Bytes read at a position into `buffer` from `offset` on; 0 at the end. */
  readAt(buffer: Buffer, offset: number, length: number, position: number): number;
  /** Two files of one network namespace have the same. */
  identity(): string;
  close(): void;
}

/**
 * A process held by open descriptors from the moment it was identified by pid and start time. Every read is of that very process or
 * fails with ESRCH; the pid's next owner is never seen.
 */
export interface HeldProcess {
  readonly pid: number;
  readonly startTicks: number;
  /** Fields of the last `readStat`; to be used only while `statOutcome` is ok. */
  readonly stat: Float64Array;
  readonly statOutcome: Outcome;
  /** State letter of the last `readStat`, proc_pid_stat(5): R S D T Z X … */
  readonly stateCode: number;
  /** Reads and parses `stat`; 0 or an outcome. A zombie's last totals are still there. */
  readStat(): Outcome;
  /** Reads a held kernel file from its start. @returns bytes in `buffer`; @throws ESRCH, EACCES */
  read(file: 'statm' | 'io', buffer: Buffer): number;
  /** Number of open descriptors, or -1 where only counting entries tells it (Linux before 6.2, recorded trees). */
  descriptorCount(): number;
  countDescriptors(): number;
  /** Reads a file that is not held, once: opened through the held directory. */
  readOnce(file: string, buffer: Buffer): number;
  /** Off the event loop. @throws EFBIG beyond the limit, 1 MiB where none is given */
  readAsync(file: string, limitBytes?: number): Promise<string>;
  /** Thread ids now. */
  threads(): readonly string[];
  /** Opens a file below /proc/<pid> to be kept by the caller. net/dev outlives the process and keeps its network namespace alive. */
  open(file: string): KernelFile;
}
