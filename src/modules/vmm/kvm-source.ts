import type { Subject } from '../../model/collector.js';
import { Outcome } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { isTold, type KvmStatistics, type Told } from './answer.js';
import type { VmmAsker } from './asker.js';
import type { KvmDebugfs } from './kvm-debugfs.js';
import { topic } from './topics.js';

type Door = 'vmm' | 'debugfs';

/**
 * KVM's counts by one door for the life of a process: the VMM where it tells them, else debugfs. The doors know different names and are read
 * at different times, so a series that changed doors would go back and forth.
 */
export class KvmSource {
  private readonly chosen = new WeakMap<Subject, { readonly process: HeldProcess; readonly door: Door }>();

  constructor(
    private readonly asker: Pick<VmmAsker, 'answer' | 'known'> | undefined,
    private readonly debugfs: Pick<KvmDebugfs, 'known'>,
  ) {}

  /** Whether there is anything to say: numbers, or why a VMM that answered and debugfs have none. */
  concerns(subject: Subject): boolean {
    const { process } = subject;
    if (this.asker?.answer(subject)) return true;
    const door = this.door(subject);
    if (door === 'debugfs') return true;
    return process !== null && door === undefined && !this.isWaiting(subject) && isTold(this.debugfs.known(subject));
  }

  read(subject: Subject): Told<KvmStatistics> {
    const { process } = subject;
    if (!process) return Outcome.gone;
    const door = this.door(subject);
    const said = topic(this.asker, subject, ({ kvm }) => kvm);
    if (door === 'vmm' || (door === undefined && isTold(said))) return this.choose(subject, process, 'vmm', said);
    const counted = this.debugfs.known(subject);
    // QEMU tells what KVM counts since 7.1: one that has nothing to tell runs without KVM, and no debugfs would change that.
    if (!isTold(counted) && door === undefined && subject.record.hypervisor === 'qemu' && said === Outcome.unsupported) return said;
    return this.choose(subject, process, 'debugfs', counted);
  }

  private door(subject: Subject): Door | undefined {
    const known = this.chosen.get(subject);
    return known && known.process === subject.process ? known.door : undefined;
  }

  /** Only a door that gave something is chosen. */
  private choose(subject: Subject, process: HeldProcess, door: Door, told: Told<KvmStatistics>): Told<KvmStatistics> {
    if (isTold(told) && this.door(subject) === undefined) this.chosen.set(subject, { process, door });
    return told;
  }

  /** Its VMM is being asked for the first time. */
  private isWaiting(subject: Subject): boolean {
    const contact = this.asker?.known(subject);
    return contact !== undefined && contact.dialogue !== null && contact.outcome === Outcome.busy;
  }
}
