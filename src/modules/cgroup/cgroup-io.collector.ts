import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import type { Metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { PartRows } from '../../model/part-rows.js';
import { Tables } from '../../model/tables.js';
import { IO_DEVICE, IO_DEVICE_LIMITS, IO_SUMS } from './cgroup-io-metrics.js';
import { DeviceNames } from './device-names.js';
import { deviceRowsOf } from './device-rows.js';
import { type IoGroup, IoGroups } from './io-group.js';
import { type DeviceIo, IoLedger } from './io-ledger.js';
import { IO_COUNTERS, IO_LIMITS, type IoCounter, type IoLimit } from './io-stat.js';
import { Lookout } from './lookout.js';
import { OwnGroups } from './own-group.js';

interface Watched {
  readonly ledger: IoLedger;
  readonly lookout: Lookout;
  /** Its cgroup at the last look; null where it has none. */
  group: IoGroup | null;
  /** Of the cgroup. */
  directory: string;
  /** Rows by name; null while there are none. */
  rows: Map<string, number> | null;
}

/** Block I/O of the cgroup that is the VM's own, device by device, and its limits. */
@Injectable()
export class CgroupIoCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'cgroup_io',
    tier: 'sweep',
    reads:
      '`io.stat` of the cgroup of the VM, `io.max` of it and of all it lies in; of version 1 six files `blkio.throttle.*` of the cgroup; `/sys/dev/block/*/uevent`. About 2 µs a file, 6 where it says something new',
    enabled: true,
  };
  static readonly readBytes = IO_SUMS.readBytes;
  static readonly writeBytes = IO_SUMS.writeBytes;
  static readonly counters: Readonly<Record<IoLimit, Metric>> = IO_DEVICE;
  static readonly limits: Readonly<Record<IoLimit, Metric>> = IO_DEVICE_LIMITS;
  readonly about = CgroupIoCollector.about;
  readonly metrics = Object.values(IO_SUMS);
  readonly partMetrics = { cgroupDevices: [...Object.values(IO_DEVICE), ...Object.values(IO_DEVICE_LIMITS)] };
  private readonly sums;
  private readonly counters;
  private readonly limits;
  private readonly rows: PartRows;
  private readonly told;
  private readonly own: OwnGroups;
  private readonly groups: IoGroups;
  private readonly names: DeviceNames;
  private readonly nameOf = (number: string): string => this.names.of(number);
  private readonly watched = new Map<Subject, Watched>();
  private sweeps = 0;

  constructor(
    private readonly tables: Tables,
    private readonly host: Host,
  ) {
    this.sums = tables.instances.columnsOf<IoCounter>(IO_SUMS);
    this.counters = tables.cgroupDevices.columnsOf<IoCounter>(IO_DEVICE);
    this.limits = tables.cgroupDevices.columnsOf<IoLimit>(IO_DEVICE_LIMITS);
    this.rows = new PartRows(tables.cgroupDevices, [...Object.values(this.counters), ...Object.values(this.limits)]);
    this.told = deviceRowsOf(tables);
    this.own = new OwnGroups(host);
    this.groups = new IoGroups(host);
    this.names = new DeviceNames(host);
  }

  attach(subject: Subject): void {
    const lookout = new Lookout(this.host.clock, subject.row);
    this.watched.set(subject, { ledger: new IoLedger(), lookout, group: null, directory: '', rows: null });
  }

  devices(subject: Subject): void {
    this.watched.get(subject)?.lookout.soon();
  }

  clear(subject: Subject): void {
    const watched = this.watched.get(subject);
    if (watched) watched.rows = null;
    this.told.delete(subject);
    this.rows.clear(subject);
  }

  detach(subject: Subject): void {
    this.clear(subject);
    const watched = this.watched.get(subject);
    if (watched) leave(watched);
    this.watched.delete(subject);
  }

  begin(): Iterable<void> {
    this.sweeps++;
    return [];
  }

  collect(subject: Subject): Outcome {
    const watched = this.watched.get(subject);
    if (!subject.process || !watched) return Outcome.gone;
    return watched.lookout.turn({ stand: () => this.stand(watched, subject), read: () => this.read(watched, subject) });
  }

  private read(watched: Watched, subject: Subject): Outcome {
    const { group, ledger } = watched;
    if (!group) return Outcome.busy;
    const reading = group.read(this.sweeps);
    if (typeof reading === 'number') {
      if (reading === Outcome.gone) leave(watched);
      return reading;
    }
    const isNew = ledger.take(group, reading, this.nameOf);
    // Cells that nobody writes keep what they hold.
    if (isNew || watched.rows === null) this.show(watched, subject);
    return Outcome.ok;
  }

  private show(watched: Watched, subject: Subject): void {
    const { sums } = this;
    const { row } = subject;
    const devices = [...watched.ledger.devices];
    if (watched.rows?.size !== devices.length || devices.some(({ name }) => !watched.rows?.has(name))) {
      const rows = new Map<string, number>();
      watched.rows = rows;
      this.rows.update(
        subject,
        devices,
        ({ name }) => name,
        (part, device) => rows.set(device.name, part),
      );
      this.told.set(subject, [...rows.values()]);
    }
    for (const word of IO_COUNTERS) sums[word].back[row] = 0;
    for (const device of devices) {
      // Of a device that is limited and was never used there is nothing to add.
      const isUsed = IO_COUNTERS.some((word) => !Number.isNaN(device.totals[word]));
      if (isUsed) for (const word of IO_COUNTERS) sums[word].back[row] += device.totals[word];
      const part = watched.rows.get(device.name);
      if (part !== undefined) this.put(part, device);
    }
  }

  private put(part: number, { number, totals, limits }: DeviceIo): void {
    for (const word of IO_COUNTERS) this.counters[word].back[part] = totals[word];
    for (const word of IO_LIMITS) this.limits[word].back[part] = limits[word];
    const key = this.tables.cgroupDevices.key(part);
    if (key && key.words?.number !== number) key.words = { number };
  }

  private stand(watched: Watched, subject: Subject): Outcome {
    try {
      // Version 2 calls the controller `io`; a line of /proc/<pid>/cgroup names those of version 1 only.
      const found = this.own.find(subject, 'blkio');
      if (typeof found !== 'number' && watched.group && watched.directory === found.chain[0]) return Outcome.ok;
      leave(watched);
      if (typeof found === 'number') return found;
      const group = this.groups.open(found);
      if (typeof group === 'number') return group;
      watched.group = group;
      [watched.directory] = found.chain;
      return Outcome.ok;
    } catch (error) {
      leave(watched);
      return outcomeOfErrno(error);
    }
  }
}

function leave(watched: Watched): void {
  watched.group?.close();
  watched.group = null;
  watched.directory = '';
}
