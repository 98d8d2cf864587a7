import { Injectable } from '@nestjs/common';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { Stat } from '../../model/process.js';
import { Tables } from '../../model/tables.js';
import { TICK_DECIMALS } from '../../model/units.js';

const VM_CPU = counter({
  name: 'vmgauge_vm_cpu_seconds_total',
  help: 'CPU time of the VMM process, all threads that live or lived, by mode. It is the hypervisor seen from the host, not the guest.',
  unit: 'seconds',
});
const HYPEMAN_CPU = counter({
  name: 'hypeman_vm_cpu_seconds_total',
  help: 'Total CPU time consumed by VM',
  unit: 'seconds',
  identity: 'id_and_name',
});
const GUEST = counter({
  name: 'vmgauge_vm_cpu_guest_seconds_total',
  help: 'Part of the user mode time that vCPUs spent in guest code. Stays 0 where the kernel does not account it.',
  unit: 'seconds',
});
const FAULTS = counter({ name: 'vmgauge_vm_page_faults_total', help: 'Page faults of the VMM process; major ones waited for storage.' });

const METRICS = {
  total: metric({
    json: 'cpu_seconds',
    description: 'User and system CPU time of the VMM process since it started.',
    decimals: TICK_DECIMALS,
    family: HYPEMAN_CPU,
    rate: 'cpu_cores',
  }),
  user: metric({ json: 'cpu.user_seconds', decimals: TICK_DECIMALS, family: VM_CPU, labels: { mode: 'user' } }),
  system: metric({ json: 'cpu.system_seconds', decimals: TICK_DECIMALS, family: VM_CPU, labels: { mode: 'system' } }),
  guest: metric({ json: 'cpu.guest_seconds', decimals: TICK_DECIMALS, family: GUEST }),
  minor: metric({ json: 'memory.minor_faults', family: FAULTS, labels: { kind: 'minor' } }),
  major: metric({ json: 'memory.major_faults', family: FAULTS, labels: { kind: 'major' } }),
};

/** Fields 10, 12, 14, 15 and 43 of /proc/<pid>/stat, which the sweep has just read; ticks of 10 ms. */
@Injectable()
export class CpuCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'cpu',
    tier: 'sweep',
    reads: '`/proc/<pid>/stat`: CPU time, page faults',
    enabled: true,
    closing: true,
  };
  readonly about = CpuCollector.about;
  readonly metrics = Object.values(METRICS);
  private readonly columns;

  constructor(tables: Tables) {
    this.columns = tables.instances.columnsOf(METRICS);
  }

  collect({ row, process }: Subject): Outcome {
    if (!process) return Outcome.gone;
    if (process.statOutcome !== Outcome.ok) return process.statOutcome;
    const { stat } = process;
    const { total, user, system, guest, minor, major } = this.columns;
    user.back[row] = stat[Stat.userTicks];
    system.back[row] = stat[Stat.systemTicks];
    total.back[row] = stat[Stat.userTicks] + stat[Stat.systemTicks];
    guest.back[row] = stat[Stat.guestTicks];
    minor.back[row] = stat[Stat.minorFaults];
    major.back[row] = stat[Stat.majorFaults];
    return Outcome.ok;
  }
}
