import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, type Metric, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { MICROSECOND_DECIMALS } from '../../model/units.js';
import { Lookout } from './lookout.js';
import { OwnGroups, UNIFIED } from './own-group.js';
import { ALL_LENGTH, outcomeOfPressure, PressureFiles } from './pressure-files.js';
import { PressureLedger } from './pressure-ledger.js';
import { AVERAGE_DECIMALS, RESOURCES, type Resource, STALLS } from './pressure-text.js';

const WHOSE = 'Of the cgroup that is the VM’s own, with whatever else is in it; none where it has no cgroup of its own.';
const FAMILIES = {
  some: counter({
    name: 'vmgauge_vm_pressure_waiting_seconds_total',
    help: `Time in which at least one task of the VM had to wait for a resource that was short. ${WHOSE}`,
    unit: 'seconds',
  }),
  full: counter({
    name: 'vmgauge_vm_pressure_stalled_seconds_total',
    help: `Time in which every task of the VM that was not idle waited for a resource, so that nothing in it got on. ${WHOSE}`,
    unit: 'seconds',
  }),
};

interface Cell {
  /** Place of its number in a reading. */
  readonly at: number;
  readonly metric: Metric;
}

/** Averages are no families: the rate of a counter says the same, of any window. */
const numbersOf = (resource: Resource, stall: (typeof STALLS)[number]): readonly Metric[] => [
  ...[10, 60, 300].map((seconds) =>
    metric({
      json: `pressure.${resource}.${stall}.avg${seconds}_ratio`,
      decimals: AVERAGE_DECIMALS,
      description: `Share of the last ${seconds} seconds that total_seconds counted, as the kernel averages it.`,
    }),
  ),
  metric({
    json: `pressure.${resource}.${stall}.total_seconds`,
    decimals: MICROSECOND_DECIMALS,
    family: FAMILIES[stall],
    labels: { resource },
  }),
];

const CELLS: readonly Cell[] = RESOURCES.flatMap((resource) => STALLS.flatMap((stall) => numbersOf(resource, stall)))
  .map((metric, at) => ({ at, metric }))
  .filter(({ metric }) => !metric.json.startsWith('pressure.irq.some.'));

const reading = new Float64Array(ALL_LENGTH);

interface Watched {
  readonly ledger: PressureLedger;
  readonly lookout: Lookout;
  /** Those of its cgroup at the last look; null where it has none. */
  files: PressureFiles | null;
  directory: string;
}

/** Pressure stall information of the cgroup of version 2 that is the VM's own, by held descriptors. What the host's whole suffers is no VM's. */
@Injectable()
export class PressureCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'pressure',
    tier: 'sweep',
    reads:
      '`cpu.pressure`, `memory.pressure`, `io.pressure` and, where there is one, `irq.pressure` of the VM’s own cgroup of version 2, some 4 µs each: the kernel adds up all CPUs; who is in that cgroup once a minute',
    enabled: true,
  };
  readonly about = PressureCollector.about;
  readonly metrics = CELLS.map(({ metric }) => metric);
  private readonly cells;
  private readonly groups: OwnGroups;
  private readonly watched = new Map<number, Watched>();

  constructor(
    tables: Tables,
    private readonly host: Host,
  ) {
    this.cells = CELLS.map(({ at, metric }) => ({ at, column: tables.instances.column(metric) }));
    this.groups = new OwnGroups(host);
  }

  attach({ row }: Subject): void {
    const lookout = new Lookout(this.host.clock, row);
    this.watched.set(row, { ledger: new PressureLedger(), lookout, files: null, directory: '' });
  }

  devices({ row }: Subject): void {
    this.watched.get(row)?.lookout.soon();
  }

  detach({ row }: Subject): void {
    const watched = this.watched.get(row);
    if (watched) leave(watched);
    this.watched.delete(row);
  }

  collect(subject: Subject): Outcome {
    const { row } = subject;
    const watched = this.watched.get(row);
    if (!subject.process || !watched) return Outcome.gone;
    const outcome = watched.lookout.turn({ stand: () => this.stand(watched, subject), read: () => read(watched) });
    if (outcome !== Outcome.ok) return outcome;
    watched.ledger.count(reading);
    for (const { at, column } of this.cells) column.back[row] = reading[at];
    return Outcome.ok;
  }

  /** Opens the files of the cgroup that the VM is in now, unless they are open. */
  private stand(watched: Watched, subject: Subject): Outcome {
    try {
      const group = this.groups.find(subject, UNIFIED);
      if (typeof group !== 'number' && watched.files && group.chain[0] === watched.directory) return Outcome.ok;
      leave(watched);
      if (typeof group === 'number') return group;
      const [directory] = group.chain;
      const files = PressureFiles.open(this.host, (resource) => `${directory}/${resource}.pressure`);
      if (typeof files === 'number') return files;
      watched.files = files;
      watched.directory = directory;
      return Outcome.ok;
    } catch (error) {
      leave(watched);
      return outcomeOfPressure(error);
    }
  }
}

/** A cgroup that was removed, or tells its pressure no more, is let go of. */
function read(watched: Watched): Outcome {
  const outcome = watched.files?.read(reading) ?? Outcome.busy;
  if (outcome === Outcome.gone) leave(watched);
  return outcome;
}

function leave(watched: Watched): void {
  watched.files?.close();
  watched.files = null;
  watched.ledger.moved();
}
