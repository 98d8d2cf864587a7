import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { Tables } from '../../model/tables.js';
import { MICROSECOND_DECIMALS } from '../../model/units.js';
import { CpuGroups } from './cpu-group.js';
import { Lookout } from './lookout.js';
import { type Chain, Standings } from './standing.js';
import { ThrottlingLedger } from './throttling-ledger.js';

const METRICS = {
  throttledMicroseconds: metric({
    json: 'cpu.throttled_seconds',
    decimals: MICROSECOND_DECIMALS,
    family: counter({
      name: 'vmgauge_vm_cpu_throttled_seconds_total',
      help: 'Time that the cgroups of the VM were kept from running by a CPU quota, their own or that of a cgroup they lie in, each CPU added. Whatever else is in the same cgroup shares it.',
      unit: 'seconds',
    }),
    rate: 'cpu_throttled_cores',
  }),
  throttledPeriods: metric({
    json: 'cpu.throttled_periods',
    family: counter({
      name: 'vmgauge_vm_cpu_throttled_periods_total',
      help: 'Periods in which a CPU quota above the VM was used up, all levels of its cgroups added.',
    }),
  }),
  periods: metric({
    json: 'cpu.quota_periods',
    family: counter({
      name: 'vmgauge_vm_cpu_quota_periods_total',
      help: 'Periods of CPU quotas above the VM in which something could run, all levels of its cgroups added; 0 where there is no quota.',
    }),
  }),
};
const WORDS = ['throttledMicroseconds', 'throttledPeriods', 'periods'] as const;

interface Watched {
  readonly ledger: ThrottlingLedger;
  readonly lookout: Lookout;
}

/** cpu.stat of every cgroup that the VM is in, and cpu.stat.local, by held descriptors: 1 to 1.5 µs a file; those that VMs share, once a sweep. */
@Injectable()
export class ThrottlingCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'throttling',
    tier: 'threads',
    reads:
      '`cpu.stat` and `cpu.stat.local` of the cgroups of the VM and its threads; `/proc/<pid>/cgroup`, of version 1 `task/*/cgroup` as well, once a minute',
    enabled: true,
  };
  static readonly seconds = METRICS.throttledMicroseconds;
  readonly about = ThrottlingCollector.about;
  readonly metrics = Object.values(METRICS);
  private readonly columns;
  private readonly groups: CpuGroups;
  private readonly standings: Standings;
  private readonly watched = new Map<number, Watched>();
  private sweeps = 0;

  constructor(
    tables: Tables,
    private readonly host: Host,
  ) {
    this.columns = tables.instances.columnsOf(METRICS);
    this.groups = new CpuGroups(host);
    this.standings = new Standings(host);
  }

  attach({ row }: Subject): void {
    this.watched.set(row, { ledger: new ThrottlingLedger(this.groups), lookout: new Lookout(this.host.clock, row) });
  }

  devices({ row }: Subject): void {
    this.watched.get(row)?.lookout.soon();
  }

  detach({ row }: Subject): void {
    this.watched.get(row)?.ledger.close();
    this.watched.delete(row);
  }

  begin(): Iterable<void> {
    this.sweeps++;
    return [];
  }

  collect({ row, process }: Subject): Outcome {
    const watched = this.watched.get(row);
    if (!process || !watched) return Outcome.gone;
    const { ledger, lookout } = watched;
    const outcome = lookout.turn({ stand: () => this.stand(ledger, process), read: () => ledger.read(this.sweeps) });
    if (outcome !== Outcome.ok) return outcome;
    for (const word of WORDS) this.columns[word].back[row] = watched.ledger.totals[word];
    return Outcome.ok;
  }

  private stand(ledger: ThrottlingLedger, process: HeldProcess): Outcome {
    let chains: readonly Chain[] | Outcome;
    try {
      chains = this.standings.chains(process, 'cpu');
    } catch (error) {
      return outcomeOfErrno(error);
    }
    if (typeof chains === 'number') return chains;
    try {
      ledger.stand(chains);
      return Outcome.ok;
    } catch (error) {
      const outcome = outcomeOfErrno(error);
      // The process is there, its cgroup is not: what is mounted below our root is another tree than the one it is in.
      return outcome === Outcome.gone ? Outcome.notConfigured : outcome;
    }
  }
}
