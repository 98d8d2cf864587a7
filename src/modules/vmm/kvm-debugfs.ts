import { setTimeout as sleep } from 'node:timers/promises';
import type { Host } from '../../host/host.js';
import { Slicer } from '../../host/slicer.js';
import type { Subject } from '../../model/collector.js';
import { Outcome } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { hasEnded } from '../procfs/held-process.js';
import type { KvmStatistics, Told, VcpuThread } from './answer.js';
import { type Refusal, refusal } from './kvm-access.js';
import { KvmDirectories, type VmDirectory } from './kvm-directories.js';
import { parseStatistic, type StatisticKind, statisticsOf } from './kvm-statistics.js';

/** A VM's numbers are read again once they are as old as this. */
const REFRESH_MS = 30_000;
/** The readings of all VMs together may use this share of a CPU: after one that took t there is a pause for the rest. */
const SHARE = 0.02;

interface Reading {
  readonly process: HeldProcess;
  statistics: Told<KvmStatistics>;
  /** Monotonic milliseconds. */
  at: number;
  pending: Promise<void> | null;
}

/**
 * What KVM counts of each VM, from <sys>/kernel/debug/kvm/<number>-<fd>/. One object per host: `KvmDebugfs.of(host)`.
 *
 * Use by a collector of the tier `sweep`, for each instance whose VMM does not tell these numbers itself:
 * `const told = debugfs.known(subject)`; it never waits. What is not known yet is Outcome.busy and is read soon, off the sweep, some VMs a
 * second; from then on it is at most about REFRESH_MS old. A command that ends soon calls `await debugfs.refresh(subject)` first.
 *
 * Outcomes: notConfigured: debugfs is not mounted. notPermitted: not root. lockdown: the kernel is locked down (Secure Boot), counters are
 * refused to everybody. unsupported: no KVM on this host, this VM is none of KVM's (TCG), or pids here are not those of the initial PID
 * namespace. gone: no process. Nothing needs to be told when an instance ends.
 */
export class KvmDebugfs {
  private static readonly known = new WeakMap<Host, KvmDebugfs>();
  private readonly directories: KvmDirectories;
  private readonly readings = new WeakMap<Subject, Reading>();
  private readonly queue = new Set<Subject>();
  private isDraining = false;
  private readonly buffer = Buffer.allocUnsafeSlow(64);

  private constructor(private readonly host: Host) {
    this.directories = new KvmDirectories(host);
  }

  static of(host: Host): KvmDebugfs {
    const known = KvmDebugfs.known.get(host) ?? new KvmDebugfs(host);
    KvmDebugfs.known.set(host, known);
    return known;
  }

  /** What KVM was last seen to have counted for this VM. Costs nothing; asks for a new reading where that one is old. */
  known(subject: Subject): Told<KvmStatistics> {
    const { process } = subject;
    if (!process) return Outcome.gone;
    const access = this.directories.access();
    if (access !== Outcome.ok) return access;
    const reading = this.readingOf(subject, process);
    if (this.host.clock.monotonic() - reading.at >= REFRESH_MS) this.ask(subject);
    return reading.statistics;
  }

  /** Reads them now, in slices of a millisecond; a reading that is under way is joined. Never rejects. */
  refresh(subject: Subject): Promise<void> {
    const { process } = subject;
    if (!process) return Promise.resolve();
    const reading = this.readingOf(subject, process);
    reading.pending ??= this.read(process)
      .then((statistics) => {
        reading.statistics = statistics;
        reading.at = this.host.clock.monotonic();
      })
      .finally(() => {
        reading.pending = null;
      });
    return reading.pending;
  }

  /**
   * Which threads of the process run a vCPU, by the kernel's own word, which no VMM can garble. `index` is the place among the VM's vCPUs in
   * the order of KVM's numbers, not that number: that is the APIC id on x86 and has gaps where a socket's cores are no power of two. A vCPU
   * that has not run yet has no thread. Works under lockdown, too. Synchronous: about 10 µs a vCPU, none of it waits.
   */
  vcpuThreads(process: HeldProcess): Told<readonly VcpuThread[]> {
    const directory = this.directories.find(process);
    if (typeof directory === 'number') return directory;
    const threads = directory.vcpus.flatMap((thread, index) =>
      thread !== null && directory.threads.has(thread) ? [{ index, threadId: thread }] : [],
    );
    return threads.length > 0 ? threads : Outcome.unsupported;
  }

  private readingOf(subject: Subject, process: HeldProcess): Reading {
    const known = this.readings.get(subject);
    if (known?.process === process) return known;
    const reading: Reading = { process, statistics: Outcome.busy, at: Number.NEGATIVE_INFINITY, pending: null };
    this.readings.set(subject, reading);
    return reading;
  }

  private ask(subject: Subject): void {
    this.queue.add(subject);
    if (this.isDraining) return;
    this.isDraining = true;
    void this.drain().finally(() => {
      this.isDraining = false;
    });
  }

  private async drain(): Promise<void> {
    // Not in the sweep that asked.
    await sleep(0, undefined, { ref: false });
    for (const subject of this.queue) {
      this.queue.delete(subject);
      const started = this.host.clock.monotonic();
      await this.refresh(subject);
      const spent = this.host.clock.monotonic() - started;
      await sleep(spent / SHARE, undefined, { ref: false });
    }
  }

  private async read(process: HeldProcess): Promise<Told<KvmStatistics>> {
    const directory = this.directories.find(process);
    if (typeof directory === 'number') return directory;
    const values: [name: string, kind: StatisticKind, value: number][] = [];
    const slicer = new Slicer(this.host.clock);
    for (const [name, kind] of this.directories.statistics) {
      const pause = slicer.pause();
      if (pause) await pause;
      const value = this.value(directory, name);
      if (typeof value === 'object') values.push([name, kind, value.value]);
      // A name that this VM does not have is none of its numbers; whatever else is wrong with one would make a sum of halves.
      else if (value !== Outcome.gone) return value;
    }
    // Whoever was held has been read, and not the next owner of the number in the directory's name.
    const isThere = process.readStat() === Outcome.ok && !hasEnded(process.stateCode);
    return isThere && values.length > 0 ? statisticsOf(values) : Outcome.gone;
  }

  private value(directory: VmDirectory, name: string): { readonly value: number } | Refusal {
    try {
      const length = this.host.readInto(directory.path(name), this.buffer);
      const value = parseStatistic(this.buffer.toString('latin1', 0, length));
      return value === null ? Outcome.malformed : { value };
    } catch (error) {
      return refusal(error);
    }
  }
}
