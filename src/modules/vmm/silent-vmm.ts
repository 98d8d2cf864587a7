import type { Hypervisor } from '../../model/instance.js';
import { type HeldProcess, STAT_LENGTH } from '../../model/process.js';
import { parseSchedstat } from '../procfs/schedstat.js';
import { parseStat } from '../procfs/stat.js';
import type { VmmContact } from './vmm-contact.js';

/** The thread without which no question is answered: the process's first one, or that of this comm. Missing: not known. */
const ANSWERING: Readonly<Partial<Record<Hypervisor, 'first' | { readonly comm: string }>>> = {
  qemu: 'first',
  stratovirt: 'first',
  firecracker: 'first',
  // Its first thread only waits for the others to end.
  'cloud-hypervisor': { comm: 'vmm' },
};

/** State letters of a thread that waits for a lock or a device. Not R, which wants a CPU, nor T and t, stopped by a signal or a debugger. */
const ASLEEP: readonly number[] = ['S', 'D'].map((letter) => letter.charCodeAt(0));

const text = Buffer.allocUnsafeSlow(4096);
const stat = new Float64Array(STAT_LENGTH);

/**
 * A VMM that does not answer, from its first unanswered question on. A main loop that works is woken by every question: one that did not run
 * from before a question's beginning until after its deadline hangs.
 */
export class SilentVmm {
  isProven = false;
  /** For at least how long the thread has slept without having run once; 0 at the first look. */
  idleMs = 0;
  /** Its state letter. */
  stateCode = Number.NaN;
  private thread: string | undefined;
  /** Content of schedstat, which moves whenever the thread gets a CPU. */
  private last = '';
  private since = 0;

  constructor(
    readonly process: HeldProcess,
    private readonly hypervisor: Hypervisor | undefined,
  ) {}

  /** @param now monotonic milliseconds @returns whether the thread could be seen @throws errors of reading */
  look({ askedAt, pending, inRow }: VmmContact, now: number): boolean {
    this.thread ??= this.answeringThread();
    if (this.thread === undefined) return false;
    const stateCode = parseStat(text, this.read('stat'), stat);
    const schedstat = text.toString('latin1', 0, this.read('schedstat'));
    if (stateCode < 0 || !parseSchedstat(schedstat)) return this.forget();
    if (schedstat !== this.last || !ASLEEP.includes(stateCode)) {
      this.last = schedstat;
      this.since = now;
      this.isProven = false;
    }
    this.stateCode = stateCode;
    this.idleMs = now - this.since;
    // A question that is under way may still be answered.
    if (pending === null && inRow > 1 && askedAt !== null && this.since < askedAt) this.isProven = true;
    return true;
  }

  private forget(): boolean {
    this.last = '';
    this.isProven = false;
    return false;
  }

  private read(file: string): number {
    return this.process.readOnce(`task/${this.thread}/${file}`, text);
  }

  private answeringThread(): string | undefined {
    const answering = this.hypervisor === undefined ? undefined : ANSWERING[this.hypervisor];
    if (answering === undefined) return undefined;
    if (answering === 'first') return String(this.process.pid);
    return this.process.threads().find((thread) => this.comm(thread) === answering.comm);
  }

  private comm(thread: string): string {
    return text.toString('latin1', 0, this.process.readOnce(`task/${thread}/comm`, text)).trimEnd();
  }
}
