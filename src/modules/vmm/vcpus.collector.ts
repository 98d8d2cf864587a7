import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { Tables } from '../../model/tables.js';
import { MICROSECOND_DECIMALS } from '../../model/units.js';
import { hasEnded } from '../procfs/held-process.js';
import { readThreads, type Thread } from '../shim/threads.js';
import { VmmAsker } from './asker.js';
import { KvmDebugfs } from './kvm-debugfs.js';
import { NamespacedThreads } from './namespaced-threads.js';
import { droppedParts, PartRows } from './part-rows.js';
import { ThreadClocks } from './thread-clocks.js';
import { type ThreadClock, VcpuLedger } from './vcpu-ledger.js';
import { idOf, VcpuFinder } from './vcpu-sources.js';

const METRICS = {
  run: metric({
    json: 'seconds',
    decimals: MICROSECOND_DECIMALS,
    family: counter({
      name: 'vmgauge_vm_vcpu_seconds_total',
      help: 'CPU time of the thread that runs a vCPU, in the guest and on its behalf.',
      unit: 'seconds',
      identity: 'vcpu',
    }),
  }),
  wait: metric({
    json: 'wait_seconds',
    decimals: MICROSECOND_DECIMALS,
    family: counter({
      name: 'vmgauge_vm_vcpu_wait_seconds_total',
      help: 'Time that a vCPU was ready to run and had no CPU: what the guest sees as steal. Waiting for the own CPU quota is in it.',
      unit: 'seconds',
      identity: 'vcpu',
    }),
  }),
  timeslices: metric({
    json: 'timeslices',
    family: counter({
      name: 'vmgauge_vm_vcpu_timeslices_total',
      help: 'How often the thread that runs a vCPU got a CPU.',
      identity: 'vcpu',
    }),
  }),
};

const INSTANCE = { dropped: droppedParts('vcpus', 'cpu.dropped_vcpus') };

/** What is known of one process for as long as it lives. */
class Life {
  readonly finder = new VcpuFinder();
  readonly ledger = new VcpuLedger();
  readonly clocks: ThreadClocks;
  readonly namespaced: NamespacedThreads;

  constructor(readonly process: HeldProcess) {
    this.clocks = new ThreadClocks(process);
    this.namespaced = new NamespacedThreads(process);
  }
}

/** A vCPU that has a thread now, and what it used since its VMM began. */
interface Vcpu {
  readonly index: number;
  readonly sum: Readonly<ThreadClock>;
}

/**
 * /proc/<pid>/task/<tid>/{stat,schedstat}: CPU time by vCPU. Which thread runs which is told by KVM's debugfs, by the VMM or by the names of
 * the threads. A vCPU that is unplugged has no row; plugged in again it goes on where it was. guest_time is not used: it is 0 where KVM is
 * paravirtual.
 */
@Injectable()
export class VcpusCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'vcpus',
    tier: 'threads',
    reads:
      '`/proc/<pid>/task/*/{stat,schedstat}`: CPU time and run-queue wait by vCPU; which thread is which from `/sys/kernel/debug/kvm/*/vcpu*/pid`, the VMM’s answer or the threads’ names',
    enabled: true,
  };
  readonly about = VcpusCollector.about;
  readonly metrics = Object.values(INSTANCE);
  readonly partMetrics = { vcpus: Object.values(METRICS) };
  private readonly columns;
  private readonly dropped;
  private readonly rows: PartRows;
  private readonly debugfs: KvmDebugfs;
  private readonly lives = new Map<number, Life>();

  constructor(
    tables: Tables,
    host: Host,
    @Optional() private readonly asker?: VmmAsker,
  ) {
    this.columns = tables.vcpus.columnsOf(METRICS);
    this.dropped = tables.instances.columnsOf(INSTANCE).dropped;
    this.rows = new PartRows(tables.vcpus, Object.values(this.columns));
    this.debugfs = KvmDebugfs.of(host);
  }

  attach({ row, process }: Subject): void {
    if (process) this.lives.set(row, new Life(process));
  }

  detach(subject: Subject): void {
    this.lives.delete(subject.row);
    this.clear(subject);
  }

  clear(subject: Subject): void {
    this.rows.clear(subject);
  }

  collect(subject: Subject): Outcome {
    const life = this.lives.get(subject.row);
    if (!life || life.process !== subject.process || hasEnded(life.process.stateCode)) return Outcome.gone;
    const threads = readThreads(life.process);
    if (typeof threads === 'number') return threads;
    const vcpus = this.find(life, subject, threads);
    // The VMM, which may know, is being asked for the first time.
    if (vcpus.size === 0) return this.asker?.known(subject)?.outcome === Outcome.busy ? Outcome.busy : Outcome.unsupported;
    const clocks = life.clocks.read([...vcpus.values()]);
    if (typeof clocks === 'number') return clocks;
    const parts: Vcpu[] = [];
    for (const [index, thread] of [...vcpus].sort(([a], [b]) => a - b)) {
      const clock = clocks.get(thread);
      const sum = clock ? life.ledger.add(index, thread.key, clock) : null;
      if (sum) parts.push({ index, sum });
    }
    if (parts.length === 0) return Outcome.gone;
    this.dropped.back[subject.row] = this.rows.update(
      subject,
      parts,
      ({ index }) => String(index),
      (row, { sum }) => this.put(row, sum),
    );
    return Outcome.ok;
  }

  private find({ finder, namespaced, process }: Life, subject: Subject, threads: readonly Thread[]): ReadonlyMap<number, Thread> {
    return finder.find(threads, {
      kvm: () => this.debugfs.vcpuThreads(process),
      vmm: () => this.asker?.answer(subject)?.vcpus ?? Outcome.unsupported,
      translator: () => namespaced.translate(threads.map(idOf)),
    });
  }

  private put(row: number, { run, wait, timeslices }: ThreadClock): void {
    const { columns } = this;
    columns.run.back[row] = run;
    columns.wait.back[row] = wait;
    columns.timeslices.back[row] = timeslices;
  }
}
