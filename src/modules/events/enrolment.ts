import { isAlive } from '../procfs/held-process.js';
import { enrolDevice, enrolProcess, MAX_KEY, withdrawDevice, withdrawProcess } from './doorbell.js';
import type { TracingSession } from './session.js';
import { isSameDevice } from './tap-devices.js';
import type { TracedDevice, TracedProcess } from './traced-instance.js';

/**
 * A life begins with the end of a telling, and one that was under way while a process was enrolled may not have it yet: the second that ends
 * after that has.
 */
const WHOLE_TELLINGS = 2;

/** The keys of one life of the program: each is used once, so that nothing told of one thing is ever taken for another's. */
export class Enrolment {
  private readonly keys = new Map<number, TracedProcess | TracedDevice>();
  private lastKey = 0;
  private tellings = 0;
  /** Keys of processes that the kernel side has, as far as it has told in this telling. */
  private present = new Set<number>();

  constructor(private readonly session: TracingSession) {}

  of(key: number): TracedProcess | TracedDevice | undefined {
    return this.keys.get(key);
  }

  /** Two numbers and two looks at the process: some 15 µs. One that has ended gets no key. */
  enrol(traced: TracedProcess): void {
    if (isAlive(traced.process) && this.giveKey(traced)) this.say(traced);
  }

  enrolDevice(traced: TracedDevice): void {
    const { namespace, index } = traced.device;
    if (this.giveKey(traced)) this.session.ring(enrolDevice(namespace, index, traced.key));
  }

  /** What comes under its key is nobody's from now on. */
  withdraw(traced: TracedProcess): void {
    const { pid } = traced.process;
    if (!this.takeKey(traced)) return;
    this.session.ring(withdrawProcess(pid));
    // Its pid may already be that of another that is traced.
    for (const other of this.keys.values()) if ('process' in other && other.process.pid === pid) this.sayAgain(other);
  }

  withdrawDevice(traced: TracedDevice): void {
    const { namespace, index } = traced.device;
    if (!this.takeKey(traced)) return;
    this.session.ring(withdrawDevice(namespace, index));
    for (const other of this.keys.values()) {
      if ('device' in other && isSameDevice(other.device, traced.device)) this.session.ring(enrolDevice(namespace, index, other.key));
    }
  }

  /** The kernel side says that it has a process with this key. */
  has(key: number): void {
    this.present.add(key);
  }

  /** A telling is over. What was not heard, or had no place, is said again. @returns processes that the kernel side has */
  turn(): number {
    this.tellings++;
    for (const [key, traced] of this.keys) {
      if (!('process' in traced) || !this.isTold(traced)) continue;
      // A helper rings later than it is asked to. What is there now was there then.
      const isNew = this.tellings === traced.since + WHOLE_TELLINGS;
      if (isNew && !isAlive(traced.process)) this.withdraw(traced);
      else if (!this.present.has(key)) this.sayAgain(traced);
    }
    const { size } = this.present;
    this.present = new Set();
    return size;
  }

  /** Whether a telling has been of it. */
  isTold({ key, since }: TracedProcess | TracedDevice): boolean {
    return key > 0 && this.tellings >= since + WHOLE_TELLINGS;
  }

  private sayAgain(traced: TracedProcess): void {
    if (isAlive(traced.process)) this.say(traced);
  }

  private say(traced: TracedProcess): void {
    const { process, key } = traced;
    this.session.ring(enrolProcess(process.pid, key));
    // Whose pid it was when the kernel heard it: only of one that is still there it is certain.
    if (!isAlive(process)) this.withdraw(traced);
  }

  private giveKey(traced: TracedProcess | TracedDevice): boolean {
    if (this.lastKey === MAX_KEY) {
      this.session.renew();
      return false;
    }
    traced.key = ++this.lastKey;
    traced.since = this.tellings;
    this.keys.set(traced.key, traced);
    return true;
  }

  private takeKey(traced: TracedProcess | TracedDevice): boolean {
    const had = this.keys.delete(traced.key);
    traced.key = 0;
    return had;
  }
}
