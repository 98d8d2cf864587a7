import { Outcome, outcomeOfErrno } from '../src/model/outcome.js';
import { type HeldProcess, type KernelFile, STAT_LENGTH, Stat } from '../src/model/process.js';
import { parseStat } from '../src/modules/procfs/stat.js';
import { statLine } from './fake-proc.js';
import { kernelSample, RECORDED } from './kernel-samples.js';

/** An error as the system's calls throw it. */
export const errno = (code: string): Error => Object.assign(new Error(`${code}: a test's own`), { code });

/** Content by path below /proc/<pid>, or the error that reading it gives. A missing path is ENOENT. */
export type KernelFiles = Map<string, string | Error>;

const FLAT = ['stat', 'statm', 'io', 'status', 'limits', 'smaps_rollup'];

/** Where it stands, as long as the test does not move it. */
export const CGROUP = '/machine.slice/vm-1.scope';

/** The files of a recorded QEMU with one thread, and of the thread of a vCPU its stat alone. Guest RAM is another QEMU's: shared memory. */
export function recordedFiles(recording: string = RECORDED[0]): KernelFiles {
  const files: KernelFiles = new Map(FLAT.map((name) => [name, kernelSample(`${recording}/${name}`)]));
  files.set('net/dev', kernelSample(`${recording}/net-dev`));
  files.set('net/stat/nf_conntrack', kernelSample('linux-6.18-conntrack/stat'));
  for (const name of ['status', 'schedstat', 'stat']) files.set(`task/4242/${name}`, kernelSample(`${recording}/${name}`));
  files.set('task/4243/stat', statLine({ pid: 4243, comm: 'CPU 0/KVM', userTicks: 7 }));
  for (const name of ['maps', 'smaps']) files.set(name, kernelSample(`qemu-7.2-memfd/${name}`));
  files.set('cgroup', `0::${CGROUP}\n`);
  return files;
}

/** A process whose kernel files are what the test says, and may change or break at any time. */
export class FakeProcess implements HeldProcess {
  readonly pid: number = 4242;
  readonly stat = new Float64Array(STAT_LENGTH);
  readonly startTicks: number;
  statOutcome: Outcome = Outcome.busy;
  stateCode = 0;
  descriptors: number | Error = 27;

  constructor(readonly files: KernelFiles = recordedFiles()) {
    this.readStat();
    this.startTicks = this.stat[Stat.startTicks];
  }

  /** Every file and directory answers with this error from now on. */
  breakAll(error: Error): void {
    for (const path of this.files.keys()) this.files.set(path, error);
    this.files.set('task', error);
    this.descriptors = error;
  }

  readStat(): Outcome {
    try {
      const line = Buffer.from(this.content('stat'), 'latin1');
      const state = parseStat(line, line.length, this.stat);
      if (state >= 0) this.stateCode = state;
      this.statOutcome = state >= 0 ? Outcome.ok : Outcome.malformed;
    } catch (error) {
      this.statOutcome = outcomeOfErrno(error);
    }
    return this.statOutcome;
  }

  read(file: 'statm' | 'io', buffer: Buffer): number {
    return this.readOnce(file, buffer);
  }

  readOnce(file: string, buffer: Buffer): number {
    return buffer.write(this.content(file), 'latin1');
  }

  async readAsync(file: string): Promise<string> {
    return this.content(file);
  }

  descriptorCount(): number {
    if (this.descriptors instanceof Error) throw this.descriptors;
    return this.descriptors;
  }

  countDescriptors(): number {
    return this.descriptorCount();
  }

  threads(): readonly string[] {
    const directory = this.files.get('task');
    if (directory instanceof Error) throw directory;
    return [...new Set([...this.files.keys()].flatMap((path) => /^task\/(\d+)\//.exec(path)?.[1] ?? []))];
  }

  open(file: string): KernelFile {
    const content = Buffer.from(this.content(file), 'latin1');
    return {
      readAt: (buffer, offset, length, position) => content.copy(buffer, offset, position, Math.min(content.length, position + length)),
      identity: () => `fake:${file}`,
      close: () => undefined,
    };
  }

  private content(file: string): string {
    const content = this.files.get(file) ?? errno('ENOENT');
    if (content instanceof Error) throw content;
    return content;
  }
}
