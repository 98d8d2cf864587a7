import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import type { Metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import type { Column } from '../../model/table.js';
import { type PartKey, Tables } from '../../model/tables.js';
import { MICROSECOND_DECIMALS } from '../../model/units.js';
import { AlertLevel } from './alert-level.js';
import { CgroupCollector } from './cgroup.collector.js';
import { CgroupIoCollector } from './cgroup-io.collector.js';
import { deviceRowsOf } from './device-rows.js';
import { IO_LIMITS, type IoLimit } from './io-stat.js';
import { type DeviceCells, IoUtilizations, ratioOf } from './io-utilization.js';
import { cellsOf, outcomeIn, type Turns, turnsOf } from './neighbours.js';
import { PERCENT_DECIMALS, RATIO_DECIMALS, RESOURCE_IO, RESOURCE_METRICS, RESOURCES, type Resource } from './resource-metrics.js';

/** A sweep never comes exactly on time; without this every second look would be one sweep late. */
const GRACE = 0.1;

/** One VM at the last look. */
interface Looked {
  /** Monotonic milliseconds. */
  at: number;
  outcome: Outcome;
  cpuMicroseconds: number;
  cpuAt: number;
  readonly io: IoUtilizations<PartKey>;
  ioDevice: PartKey | null;
  readonly levels: Readonly<Record<Resource, AlertLevel>>;
}

/** Cells of the collectors whose turn came before. */
interface Inputs {
  readonly cgroup: Turns;
  readonly io: Turns;
  readonly quota: Column;
  readonly period: Column;
  readonly cpuUsage: Column;
  readonly memoryLimit: Column;
  readonly memoryUsage: Column;
  readonly readBytes: Column;
  readonly writeBytes: Column;
  readonly counters: readonly Column[];
  readonly limits: readonly Column[];
}

interface Measured {
  /** Whether there is a limit, also where `limit` is not the one that is meant. */
  readonly isLimited: boolean;
  readonly limit: number;
  readonly usage: number;
  readonly ratio: number;
}
const NOTHING: Measured = { isLimited: false, limit: Number.NaN, usage: Number.NaN, ratio: Number.NaN };

/**
 * How far limits are used up, and how near that is to the end. Reads no file: it takes what `cgroup` and `cgroup_io` read in the same sweep, every
 * `limits.interval`; between two looks its cells stand still.
 */
@Injectable()
export class ResourcesCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'resources',
    tier: 'sweep',
    reads: 'nothing of its own: what `cgroup` and `cgroup_io` read in the same sweep, every `limits.interval`',
    enabled: true,
  };
  readonly about = ResourcesCollector.about;
  readonly metrics: readonly Metric[] = [
    ...RESOURCES.flatMap((resource) => Object.values(RESOURCE_METRICS[resource])),
    ...Object.values(RESOURCE_IO),
  ];
  private readonly columns;
  private readonly ioColumns;
  private readonly looked = new Map<number, Looked>();
  private found: Inputs | undefined;
  private readonly deviceRows;

  constructor(
    private readonly tables: Tables,
    private readonly host: Host,
    private readonly settings: Settings = new Settings(),
  ) {
    const of = (resource: Resource) => tables.instances.columnsOf(RESOURCE_METRICS[resource]);
    this.columns = { cpu: of('cpu'), memory: of('memory'), io: of('io') };
    this.ioColumns = tables.instances.columnsOf(RESOURCE_IO);
    this.deviceRows = deviceRowsOf(tables);
  }

  attach({ row }: Subject): void {
    this.looked.set(row, {
      ...{ at: Number.NEGATIVE_INFINITY, outcome: Outcome.busy, cpuMicroseconds: Number.NaN, cpuAt: Number.NaN },
      ...{ io: new IoUtilizations(), ioDevice: null },
      levels: { cpu: new AlertLevel(), memory: new AlertLevel(), io: new AlertLevel() },
    });
  }

  detach({ row }: Subject): void {
    this.looked.delete(row);
  }

  collect(subject: Subject): Outcome {
    const { row, process } = subject;
    const looked = this.looked.get(row);
    if (!process || !looked) return Outcome.gone;
    const now = this.host.clock.monotonic();
    if (now - looked.at >= this.settings.limitsIntervalMs * (1 - GRACE)) {
      looked.at = now;
      looked.outcome = this.look(subject, looked);
    }
    // Its row may be another device's by now.
    const device = this.ioColumns.device.back[row];
    if (!Number.isNaN(device) && this.tables.cgroupDevices.key(device) !== looked.ioDevice) this.ioColumns.device.back[row] = Number.NaN;
    return looked.outcome;
  }

  private look(subject: Subject, looked: Looked): Outcome {
    const { row } = subject;
    const inputs = this.inputs();
    const isRead = inputs.cgroup.outcome.back[row] === Outcome.ok;
    const isIoRead = inputs.io.outcome.back[row] === Outcome.ok;
    this.put(row, looked, 'cpu', this.cpu(row, looked, inputs, isRead), isRead);
    this.put(row, looked, 'memory', isRead ? memory(row, inputs) : NOTHING, isRead);
    this.put(row, looked, 'io', this.io(subject, looked, inputs, isIoRead), isIoRead);
    return isRead || isIoRead ? Outcome.ok : outcomeIn(inputs.cgroup.outcome.back[row]);
  }

  private cpu(row: number, looked: Looked, inputs: Inputs, isRead: boolean): Measured {
    const usage = isRead ? inputs.cpuUsage.back[row] : Number.NaN;
    const at = inputs.cgroup.at.back[row];
    const limit = inputs.quota.back[row];
    const cores = limit / inputs.period.back[row];
    const ratio = ratioOf((usage - looked.cpuMicroseconds) / 10 ** MICROSECOND_DECIMALS, (at - looked.cpuAt) / 1000, cores);
    looked.cpuMicroseconds = usage;
    looked.cpuAt = at;
    return isRead ? { isLimited: !Number.isNaN(limit), limit, usage, ratio } : NOTHING;
  }

  private io(subject: Subject, looked: Looked, inputs: Inputs, isRead: boolean): Measured {
    const { row } = subject;
    const { limit, of, device } = this.ioColumns;
    limit.back[row] = of.back[row] = device.back[row] = Number.NaN;
    looked.ioDevice = null;
    if (!isRead) {
      looked.io.forget();
      return NOTHING;
    }
    const rows = this.deviceRows.get(subject) ?? [];
    const used = looked.io.look(this.cellsOf(rows, inputs), inputs.io.at.back[row]);
    limit.back[row] = used.bytesPerSecond;
    if (used.of !== null && used.device !== null) {
      of.back[row] = IO_LIMITS.indexOf(used.of);
      looked.ioDevice = used.device;
      device.back[row] = rows.find((part) => this.tables.cgroupDevices.key(part) === used.device) ?? Number.NaN;
    }
    return {
      isLimited: used.isLimited,
      limit: used.bytesPerSecond,
      usage: inputs.readBytes.back[row] + inputs.writeBytes.back[row],
      ratio: used.ratio,
    };
  }

  private *cellsOf(rows: readonly number[], { counters, limits }: Inputs): Iterable<DeviceCells<PartKey>> {
    for (const row of rows) {
      const device = this.tables.cgroupDevices.key(row);
      const at = (columns: readonly Column[]) => (word: IoLimit) => columns[IO_LIMITS.indexOf(word)].back[row];
      if (device) yield { device, counter: at(counters), limit: at(limits) };
    }
  }

  private put(row: number, looked: Looked, resource: Resource, { isLimited, limit, usage, ratio }: Measured, isRead: boolean): void {
    const columns = this.columns[resource];
    const level = looked.levels[resource];
    // The level is that of the number that is shown.
    const cell = Math.round(ratio * 10 ** RATIO_DECIMALS);
    columns.limit.back[row] = limit;
    columns.usage.back[row] = usage;
    columns.utilization.back[row] = cell;
    columns.alert.back[row] = level.take(cell / 10 ** PERCENT_DECIMALS, this.settings.limitsThresholds);
    if (isRead && !isLimited) level.reset();
  }

  private inputs(): Inputs {
    const { instances, cgroupDevices } = this.tables;
    const own = (metric: Metric): Column => cellsOf(instances, metric);
    this.found ??= {
      cgroup: turnsOf(this.tables, CgroupCollector),
      io: turnsOf(this.tables, CgroupIoCollector),
      quota: own(CgroupCollector.quota),
      period: own(CgroupCollector.period),
      cpuUsage: own(CgroupCollector.usage),
      memoryLimit: own(CgroupCollector.memoryLimit),
      memoryUsage: own(CgroupCollector.memoryUsage),
      readBytes: own(CgroupIoCollector.readBytes),
      writeBytes: own(CgroupIoCollector.writeBytes),
      counters: IO_LIMITS.map((word) => cellsOf(cgroupDevices, CgroupIoCollector.counters[word])),
      limits: IO_LIMITS.map((word) => cellsOf(cgroupDevices, CgroupIoCollector.limits[word])),
    };
    return this.found;
  }
}

function memory(row: number, { memoryLimit, memoryUsage }: Inputs): Measured {
  const [limit, usage] = [memoryLimit.back[row], memoryUsage.back[row]];
  return { isLimited: !Number.isNaN(limit), limit, usage, ratio: limit > 0 ? usage / limit : Number.NaN };
}
