import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, type Exposure, gauge, type Metric, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { Tables } from '../../model/tables.js';
import { TICK_DECIMALS, ticksToMilliseconds } from '../../model/units.js';
import { isVmmInShim } from '../../model/vmm-in-shim.js';
import { readCpuEntries } from './cpu-entries.js';
import { CpuLedger, PARTS, Part } from './cpu-ledger.js';

const OVERHEAD = gauge({
  name: 'kata_shim_pod_overhead_cpu',
  help: 'Kata Pod overhead for CPU resources(percent).',
  identity: 'sandbox',
});
const SECONDS = counter({
  name: 'vmgauge_sandbox_overhead_cpu_seconds_total',
  help: 'CPU time of what a sandbox needs beside its vCPUs, by component; threads of a VMM inside the shim are the shim’s.',
  unit: 'seconds',
  identity: 'sandbox',
});
const VCPU_SECONDS = counter({
  name: 'vmgauge_sandbox_vcpu_seconds_total',
  help: 'CPU time of the vCPU threads of a sandbox, in the guest and on its behalf.',
  unit: 'seconds',
  identity: 'sandbox',
});

/** Cells in 10^-4 percent of one CPU. */
const PERCENT_DECIMALS = 4;
const MILLISECOND_DECIMALS = 3;

const percent = (word: string, description: string, family?: Exposure): Metric =>
  metric({ json: `shim.overhead.${word}`, description, decimals: PERCENT_DECIMALS, also: family ? [family] : [] });
const seconds = (component: string): Metric =>
  metric({
    json: `shim.overhead.${component}_cpu_seconds`,
    decimals: TICK_DECIMALS,
    ...(component === 'vcpu' ? { family: VCPU_SECONDS } : { family: SECONDS, labels: { component } }),
  });

const METRICS = {
  total: percent('cpu_percent', 'CPU of shim, virtiofsd and the VMM’s threads that are no vCPU, in percent of one CPU over the window.', {
    family: OVERHEAD,
  }),
  window: metric({
    json: 'shim.overhead.cpu_window_seconds',
    description: 'Length of the window of the percentages.',
    decimals: MILLISECOND_DECIMALS,
  }),
};
/** By part. */
const PERCENTS = ['shim', 'vmm', 'virtiofsd', 'vcpu'].map((part) => percent(`${part}_cpu_percent`, `Share of ${part} over the window.`));
const TOTALS = ['shim', 'vmm', 'virtiofsd', 'vcpu'].map(seconds);

/** A shorter window shows the size of a clock tick. */
const MIN_WINDOW_MS = 1000;

/** What is known of a sandbox from one turn to the next. */
interface Account {
  readonly ledger: CpuLedger;
  /** The processes of the window; others begin a new one. */
  parties: readonly (HeldProcess | null)[];
  /** Monotonic milliseconds; NaN before the first reading. */
  readAt: number;
  outcome: Outcome;
  hadVirtiofsd: boolean;
}

/**
 * What the sandbox costs in CPU beside what its guest uses, by Kata's own definition turned to the host: no cgroup and no agent is asked, so
 * it is the same in both cgroup versions and wherever the runtime puts its threads. About 10 µs a thread.
 */
@Injectable()
export class PodOverheadCpuCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'pod_overhead_cpu',
    tier: 'threads',
    reads: '`/proc/<pid>/stat` of shim and virtiofsd, `/proc/<pid>/task/*/stat` of the VMM of a Kata sandbox: CPU time beside the vCPUs',
    enabled: true,
  };
  readonly about = PodOverheadCpuCollector.about;
  readonly metrics = [];
  readonly sandboxMetrics = [...Object.values(METRICS), ...PERCENTS, ...TOTALS];
  private readonly columns;
  private readonly percents;
  private readonly totals;
  private readonly accounts = new Map<number, Account>();

  constructor(
    tables: Tables,
    private readonly host: Host,
  ) {
    this.columns = tables.sandboxes.columnsOf(METRICS);
    this.percents = PERCENTS.map((share) => tables.sandboxes.column(share));
    this.totals = TOTALS.map((total) => tables.sandboxes.column(total));
  }

  concerns({ sandboxRow }: Subject): boolean {
    return sandboxRow >= 0;
  }

  detach({ row }: Subject): void {
    this.accounts.delete(row);
  }

  /** Busy in the first turn, and in one that finds another shim or virtiofsd: a share needs two readings of the same processes. */
  collect(subject: Subject): Outcome {
    const { process } = subject;
    const shim = subject.companion('shim');
    if (!process || !shim) return Outcome.gone;
    const account = this.accountOf(subject);
    const virtiofsd = subject.companion('virtiofsd');
    const parties = [process, shim, virtiofsd];
    const same = parties.every((party, place) => account.parties[place] === party);
    if (same && this.host.clock.monotonic() - account.readAt < MIN_WINDOW_MS) return account.outcome;
    const entries = readCpuEntries(this.host, subject, process, shim, virtiofsd);
    if (typeof entries === 'number') return entries;
    const now = this.host.clock.monotonic();
    const windowMs = now - account.readAt;
    account.ledger.update(entries);
    account.readAt = now;
    account.parties = parties;
    account.hadVirtiofsd ||= virtiofsd !== null;
    account.outcome = same ? Outcome.ok : Outcome.busy;
    if (same) this.put(subject, account, windowMs);
    return account.outcome;
  }

  private accountOf({ row }: Subject): Account {
    const known = this.accounts.get(row);
    if (known) return known;
    const account: Account = { ledger: new CpuLedger(), parties: [], readAt: Number.NaN, outcome: Outcome.busy, hadVirtiofsd: false };
    this.accounts.set(row, account);
    return account;
  }

  private put(subject: Subject, { ledger, parties, hadVirtiofsd }: Account, windowMs: number): void {
    const { sandboxRow: row } = subject;
    const share = (ticks: number): number => Math.round((100 * 10 ** PERCENT_DECIMALS * ticksToMilliseconds(ticks)) / windowMs);
    const inShim = isVmmInShim(subject);
    for (let part = 0; part < PARTS; part++) {
      const none = (part === Part.vmm && inShim) || (part === Part.virtiofsd && !hadVirtiofsd);
      const ended = part === Part.virtiofsd && parties[2] === null;
      this.totals[part].back[row] = none ? Number.NaN : ledger.totals[part];
      this.percents[part].back[row] = none || ended ? Number.NaN : share(ledger.grown[part]);
    }
    const { shim, vmm, virtiofsd } = Part;
    this.columns.total.back[row] = share(ledger.grown[shim] + ledger.grown[vmm] + ledger.grown[virtiofsd]);
    this.columns.window.back[row] = Math.round(windowMs);
  }
}
