import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { PartRows } from '../../model/part-rows.js';
import type { HeldProcess } from '../../model/process.js';
import { Tables } from '../../model/tables.js';
import { MICROSECOND_DECIMALS } from '../../model/units.js';
import { hasEnded } from '../procfs/held-process.js';
import { readThreads, type Thread } from '../shim/threads.js';
import type { Told, VcpuThread } from './answer.js';
import { VmmAsker } from './asker.js';
import { droppedParts } from './dropped-parts.js';
import { KvmDebugfs } from './kvm-debugfs.js';
import { NamespacedThreads } from './namespaced-threads.js';
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

/** What the VMM says of its vCPUs' threads. */
type VmmWord = Told<readonly VcpuThread[]>;

/** Turns after which the threads are read again although nobody could tell vCPUs among them, twice, and none came or went. */
const UNTOLD_TURNS = 4;

/** What is known of one process for as long as it lives. */
class Life {
  readonly finder = new VcpuFinder();
  readonly clocks: ThreadClocks;
  readonly namespaced: NamespacedThreads;
  private sums: VcpuLedger | undefined;
  /** When nobody told which thread is which: what there was to go by, and for how many turns more that is believed. */
  private untold: { readonly threads: string; readonly answer: VmmWord; turns: number } | null = null;

  constructor(readonly process: HeldProcess) {
    this.clocks = new ThreadClocks(process);
    this.namespaced = new NamespacedThreads(process);
  }

  /** Made when a vCPU is first found: of many VMs none ever is. */
  get ledger(): VcpuLedger {
    this.sums ??= new VcpuLedger();
    return this.sums;
  }

  /** Whether nothing has come that could tell it. To read all threads costs 12 µs each, to see that they are the same ones less than one. */
  isUntold(answer: VmmWord): boolean {
    const { untold } = this;
    try {
      return untold !== null && untold.turns-- > 0 && untold.answer === answer && untold.threads === this.process.threads().join();
    } catch {
      // What is wrong is said by the reading.
      return false;
    }
  }

  nobodyTold(threads: readonly Thread[], answer: VmmWord): void {
    const same = threads.map(idOf).join();
    const isConfirmed = this.untold?.threads === same && this.untold.answer === answer;
    // A thread may get its name a moment after it began.
    this.untold = { threads: same, answer, turns: isConfirmed ? UNTOLD_TURNS : 0 };
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
    const answer = this.asker?.answer(subject)?.vcpus ?? Outcome.unsupported;
    if (life.isUntold(answer)) return this.untold(subject);
    const threads = readThreads(life.process);
    if (typeof threads === 'number') return threads;
    const vcpus = this.find(life, threads, answer);
    if (vcpus.size === 0) {
      life.nobodyTold(threads, answer);
      return this.untold(subject);
    }
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

  /** The VMM, which may know, may be being asked for the first time. */
  private untold(subject: Subject): Outcome {
    return this.asker?.known(subject)?.outcome === Outcome.busy ? Outcome.busy : Outcome.unsupported;
  }

  private find({ finder, namespaced, process }: Life, threads: readonly Thread[], answer: VmmWord): ReadonlyMap<number, Thread> {
    return finder.find(threads, {
      kvm: () => this.debugfs.vcpuThreads(process),
      vmm: () => answer,
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
