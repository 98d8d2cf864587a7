import { type HeldDirectory, type HeldFile, mayHoldMore } from '../../host/held.js';
import type { Host } from '../../host/host.js';
import { HostError } from '../../host/host-error.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { type HeldProcess, STAT_LENGTH, Stat } from '../../model/process.js';
import { parseStat } from './stat.js';

/** stat is one line of some 50 numbers around a comm of at most 64 bytes. */
const STAT_BYTES = 4096;
const shared = Buffer.allocUnsafeSlow(STAT_BYTES);

const ZOMBIE = 'Z'.charCodeAt(0);
const DEAD = 'X'.charCodeAt(0);
const STOPPED = 'T'.charCodeAt(0);
const TRACED = 't'.charCodeAt(0);

/** A zombie or dead process still has its totals in `stat`: read once more, they are the closing sample. */
export const hasEnded = (stateCode: number): boolean => stateCode === ZOMBIE || stateCode === DEAD;

/** Whether a process that is held is there. Its pid may long be another's; that one is never looked at. */
export const isAlive = (process: HeldProcess): boolean => process.readStat() === Outcome.ok && !hasEnded(process.stateCode);

/** Stopped by a signal, or by a debugger. */
export const isStoppedBySignal = (stateCode: number): boolean => stateCode === STOPPED || stateCode === TRACED;

/**
 * It has given back its memory, but it or one of its threads has not ended yet: what its files show besides `stat` are zeros that never
 * were, and `stat` still grows. Only for a process whose `stat` has been read.
 */
export const isEnding = ({ stateCode, stat }: HeldProcess): boolean =>
  stat[Stat.virtualBytes] === 0 && !(hasEnded(stateCode) && stat[Stat.threads] <= 1);

/** Not held, because our own descriptors are nearly used up: opened for each reading, at three times the price. */
const EACH_TIME = 'each time';
type Access<T> = T | Error | typeof EACH_TIME;

/**
 * /proc/<pid> held open. Descriptors: the directory and stat from the start, statm, io and fd/ from their first reading: five a process
 * that is sampled. A file we may not open is remembered as such and costs nothing later.
 */
export class ProcfsProcess implements HeldProcess {
  readonly stat = new Float64Array(STAT_LENGTH);
  statOutcome: Outcome = Outcome.busy;
  stateCode = 0;
  readonly startTicks: number;
  private readonly statFile: HeldFile;
  private readonly files: Record<'statm' | 'io', Access<HeldFile> | undefined> = { statm: undefined, io: undefined };
  private descriptors: Access<HeldDirectory> | undefined;

  /** @param directory /proc/<pid>, owned by this object from now on. @throws the system's errors; EINVAL for a stat that does not parse */
  constructor(
    readonly pid: number,
    private readonly directory: HeldDirectory,
    private readonly host: Host,
  ) {
    this.statFile = directory.open('stat');
    try {
      const outcome = this.readStat();
      if (outcome !== Outcome.ok) throw new HostError(outcome === Outcome.gone ? 'ESRCH' : 'EINVAL', `stat of ${pid} cannot be read`);
      this.startTicks = this.stat[Stat.startTicks];
    } catch (error) {
      this.statFile.close();
      throw error;
    }
  }

  readStat(): Outcome {
    try {
      const length = this.statFile.read(shared);
      const state = parseStat(shared, length, this.stat);
      if (state >= 0) this.stateCode = state;
      this.statOutcome = state >= 0 ? Outcome.ok : Outcome.malformed;
    } catch (error) {
      this.statOutcome = outcomeOfErrno(error);
    }
    return this.statOutcome;
  }

  read(file: 'statm' | 'io', buffer: Buffer): number {
    this.files[file] ??= this.access(() => this.directory.open(file));
    const held = this.files[file];
    if (held === EACH_TIME) return this.directory.readOnce(file, buffer);
    if (held instanceof Error) throw held;
    return held.read(buffer);
  }

  descriptorCount(): number {
    return this.withDescriptors((directory) => (this.host.descriptorCountBySize ? directory.size() : -1));
  }

  countDescriptors(): number {
    return this.withDescriptors((directory) => directory.list().length);
  }

  private withDescriptors(count: (directory: HeldDirectory) => number): number {
    this.descriptors ??= this.access(() => this.directory.openDirectory('fd'));
    if (this.descriptors instanceof Error) throw this.descriptors;
    if (this.descriptors !== EACH_TIME) return count(this.descriptors);
    const directory = this.directory.openDirectory('fd');
    try {
      return count(directory);
    } finally {
      directory.close();
    }
  }

  private access<T>(open: () => T): Access<T> {
    return mayHoldMore() ? tryOpen(open) : EACH_TIME;
  }

  readOnce(file: string, buffer: Buffer): number {
    return this.directory.readOnce(file, buffer);
  }

  readAsync(file: string, limitBytes?: number): Promise<string> {
    return this.directory.readTextAsync(file, limitBytes);
  }

  threads(): readonly string[] {
    return this.directory.list('task');
  }

  open(file: string): HeldFile {
    return this.directory.open(file);
  }

  /** For those who look for more than the collectors do: descriptors, sockets, namespaces. */
  get held(): HeldDirectory {
    return this.directory;
  }

  close(): void {
    this.statFile.close();
    for (const file of [this.files.statm, this.files.io, this.descriptors]) if (typeof file === 'object' && 'close' in file) file.close();
    this.directory.close();
  }
}

/** A refusal is kept as the answer to every later read; lack of descriptors is not, the whole process is then tried again. */
function tryOpen<T>(open: () => T): T | Error {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof Error) || ('code' in error && (error.code === 'EMFILE' || error.code === 'ENFILE'))) throw error;
    return error;
  }
}

/** Holds the process that has this pid now. @throws ENOENT, ESRCH when there is none; EMFILE */
export function holdProcess(host: Host, pid: number): ProcfsProcess {
  const directory = host.holdDirectory(host.proc(String(pid)));
  try {
    return new ProcfsProcess(pid, directory, host);
  } catch (error) {
    directory.close();
    throw error;
  }
}
