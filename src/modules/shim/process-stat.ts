import type { Subject } from '../../model/collector.js';
import { counter, type Exposure, gauge, type Metric, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { type HeldProcess, Stat } from '../../model/process.js';
import type { Tables } from '../../model/tables.js';
import { TICK_DECIMALS } from '../../model/units.js';
import { hasEnded, isEnding } from '../procfs/held-process.js';
import type { Role } from './roles.js';

/** Kata prints clock ticks where the document has seconds: one cell in ticks, two exponents. */
function metricsOf({ prefix, place, native, help }: Role) {
  const procStat = gauge({ name: `${prefix}_proc_stat`, help: help.stat, identity: 'sandbox' });
  const cpu =
    native &&
    counter({
      name: `${native}_cpu_seconds_total`,
      help: 'CPU time of the process, all threads that live or lived, by mode.',
      unit: 'seconds',
      identity: 'sandbox',
    });
  const ticks = (item: string, word: string, description: string, also: readonly Exposure[] = []): Metric =>
    metric({
      json: `${place}.cpu.${word}_seconds`,
      description,
      decimals: TICK_DECIMALS,
      also: [{ family: procStat, labels: { item }, decimals: 0 }, ...also],
    });
  const inMode = (mode: string): Exposure[] => (cpu ? [{ family: cpu, labels: { mode } }] : []);
  return {
    threads: metric({
      json: `${place}.threads`,
      family: gauge({ name: `${prefix}_threads`, help: help.threads, identity: 'sandbox' }),
    }),
    user: ticks('utime', 'user', 'CPU time in user mode.', inMode('user')),
    system: ticks('stime', 'system', 'CPU time in the kernel.', inMode('system')),
    childUser: ticks('cutime', 'child_user', 'CPU time in user mode of children that ended and were waited for.'),
    childSystem: ticks('cstime', 'child_system', 'CPU time in the kernel of children that ended and were waited for.'),
  };
}

/** stat of a process of the sandbox, as of this sweep: the VMM's has been read by it. One that ended or is ending is gone. */
export function readStatOf(process: HeldProcess | null, { process: vmm }: Subject): Outcome {
  if (!process) return Outcome.gone;
  const outcome = process === vmm ? process.statOutcome : process.readStat();
  if (outcome !== Outcome.ok) return outcome;
  return hasEnded(process.stateCode) || isEnding(process) ? Outcome.gone : Outcome.ok;
}

/** Fields 14 to 17 and 20 of /proc/<pid>/stat of one role, in cells of the sandbox table. */
export class ProcessStat {
  readonly metrics: readonly Metric[];
  private readonly columns;

  constructor(
    tables: Tables,
    private readonly role: Role,
  ) {
    const metrics = metricsOf(role);
    this.metrics = Object.values(metrics);
    this.columns = tables.sandboxes.columnsOf(metrics);
  }

  /** After an ok the process's `stat` may be used for more. */
  collect(subject: Subject): Outcome {
    const process = this.role.process(subject);
    const outcome = readStatOf(process, subject);
    if (!process || outcome !== Outcome.ok) return outcome;
    const { stat } = process;
    const { threads, user, system, childUser, childSystem } = this.columns;
    const row = subject.sandboxRow;
    threads.back[row] = stat[Stat.threads];
    user.back[row] = stat[Stat.userTicks];
    system.back[row] = stat[Stat.systemTicks];
    childUser.back[row] = stat[Stat.childUserTicks];
    childSystem.back[row] = stat[Stat.childSystemTicks];
    return Outcome.ok;
  }
}
