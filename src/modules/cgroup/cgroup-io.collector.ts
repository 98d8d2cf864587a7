import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import { spread } from '../../host/pacing.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, type Family, gauge, type Metric, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { PartRows } from '../../model/part-rows.js';
import { Tables } from '../../model/tables.js';
import { DeviceNames } from './device-names.js';
import { deviceRowsOf } from './device-rows.js';
import { type IoGroup, IoGroups } from './io-group.js';
import { type DeviceIo, IoLedger } from './io-ledger.js';
import { IO_COUNTERS, IO_LIMITS, type IoCounter, type IoLimit } from './io-stat.js';
import { OwnGroups } from './own-group.js';

const identity = 'cgroup_device';
const WHOSE = 'by the cgroup that is its own. A device that is made of others counts what they count again';

const BYTES = counter({
  name: 'vmgauge_vm_cgroup_io_bytes_total',
  help: `Bytes that the VM and what works for it moved at a block device of the host, ${WHOSE}.`,
  unit: 'bytes',
  identity,
});
const OPERATIONS = counter({
  name: 'vmgauge_vm_cgroup_io_operations_total',
  help: `Requests of the VM and of what works for it to a block device of the host, ${WHOSE}.`,
  identity,
});
const BYTE_LIMIT = gauge({
  name: 'vmgauge_vm_cgroup_io_limit_bytes_per_second',
  help: 'How much the cgroups of the VM let it move at a block device of the host, bytes a second: the least of its own and those it lies in.',
  identity,
});
const OPERATION_LIMIT = gauge({
  name: 'vmgauge_vm_cgroup_io_limit_operations_per_second',
  help: 'How many requests a second the cgroups of the VM let it make to a block device of the host: the least of its own and those it lies in.',
  identity,
});

const ofDevice = (json: string, family: Family, operation: string): Metric => metric({ json, family, labels: { operation } });
const DEVICE = {
  readBytes: ofDevice('read_bytes', BYTES, 'read'),
  writeBytes: ofDevice('write_bytes', BYTES, 'write'),
  discardBytes: ofDevice('discard_bytes', BYTES, 'discard'),
  readOperations: ofDevice('read_operations', OPERATIONS, 'read'),
  writeOperations: ofDevice('write_operations', OPERATIONS, 'write'),
  discardOperations: ofDevice('discard_operations', OPERATIONS, 'discard'),
};
const DEVICE_LIMITS = {
  readBytes: ofDevice('read_limit_bytes_per_second', BYTE_LIMIT, 'read'),
  writeBytes: ofDevice('write_limit_bytes_per_second', BYTE_LIMIT, 'write'),
  readOperations: ofDevice('read_limit_operations_per_second', OPERATION_LIMIT, 'read'),
  writeOperations: ofDevice('write_limit_operations_per_second', OPERATION_LIMIT, 'write'),
};

const sum = (word: string, what: string): Metric =>
  metric({
    json: `limits.io.${word}`,
    description: `${what} at all block devices, ${WHOSE}.`,
    rate: `cgroup_io_${word}_per_second`,
  });
const SUMS = {
  readBytes: sum('read_bytes', 'Bytes read'),
  writeBytes: sum('write_bytes', 'Bytes written'),
  discardBytes: sum('discard_bytes', 'Bytes discarded'),
  readOperations: sum('read_operations', 'Requests to read'),
  writeOperations: sum('write_operations', 'Requests to write'),
  discardOperations: sum('discard_operations', 'Requests to discard'),
};

/** Looking for the cgroup costs more than a reading, and VMs hardly ever leave theirs. */
const STANDING_MS = 60_000;

interface Watched {
  readonly ledger: IoLedger;
  /** Its cgroup at the last look, or why there is none. */
  group: IoGroup | Outcome;
  /** Of the cgroup. */
  directory: string;
  /** Monotonic milliseconds of the next look. */
  nextAt: number;
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
      '`io.stat` of the cgroup of the VM, `io.max` of it and of all it lies in; of version 1 six files `blkio.throttle.*` of the cgroup; `/sys/dev/block/*/uevent`. About 6 µs a file',
    enabled: true,
  };
  static readonly readBytes = SUMS.readBytes;
  static readonly writeBytes = SUMS.writeBytes;
  static readonly counters: Readonly<Record<IoLimit, Metric>> = DEVICE;
  static readonly limits: Readonly<Record<IoLimit, Metric>> = DEVICE_LIMITS;
  readonly about = CgroupIoCollector.about;
  readonly metrics = Object.values(SUMS);
  readonly partMetrics = { cgroupDevices: [...Object.values(DEVICE), ...Object.values(DEVICE_LIMITS)] };
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
    this.sums = tables.instances.columnsOf<IoCounter>(SUMS);
    this.counters = tables.cgroupDevices.columnsOf<IoCounter>(DEVICE);
    this.limits = tables.cgroupDevices.columnsOf<IoLimit>(DEVICE_LIMITS);
    this.rows = new PartRows(tables.cgroupDevices, [...Object.values(this.counters), ...Object.values(this.limits)]);
    this.told = deviceRowsOf(tables);
    this.own = new OwnGroups(host);
    this.groups = new IoGroups(host);
    this.names = new DeviceNames(host);
  }

  attach(subject: Subject): void {
    this.watched.set(subject, {
      ...{ ledger: new IoLedger(), group: Outcome.busy, directory: '', nextAt: Number.NEGATIVE_INFINITY, rows: null },
    });
  }

  devices(subject: Subject): void {
    const watched = this.watched.get(subject);
    if (watched) watched.nextAt = Number.NEGATIVE_INFINITY;
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
    if (this.host.clock.monotonic() >= watched.nextAt) this.look(watched, subject);
    let outcome = this.read(watched, subject);
    if (outcome === Outcome.gone && typeof watched.group !== 'number') {
      // A cgroup was removed, which takes that nobody is in it: the process, which lives, was moved before.
      leave(watched);
      this.look(watched, subject);
      outcome = this.read(watched, subject);
      if (outcome === Outcome.gone && typeof watched.group !== 'number') return Outcome.busy;
    }
    return outcome;
  }

  private read(watched: Watched, subject: Subject): Outcome {
    const { group, ledger } = watched;
    if (typeof group === 'number') return group;
    const reading = group.read(this.sweeps);
    if (typeof reading === 'number') return reading;
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

  private look(watched: Watched, subject: Subject): void {
    const pause = watched.nextAt === Number.NEGATIVE_INFINITY ? STANDING_MS * (1 - spread(subject.row)) : STANDING_MS;
    try {
      this.stand(watched, subject);
    } catch (error) {
      leave(watched);
      const outcome = outcomeOfErrno(error);
      watched.group = outcome;
    }
    watched.nextAt = watched.group === Outcome.busy ? Number.NEGATIVE_INFINITY : this.host.clock.monotonic() + pause;
  }

  /** @throws errors of /proc/<pid> and of opening */
  private stand(watched: Watched, subject: Subject): void {
    // Version 2 calls the controller `io`; a line of /proc/<pid>/cgroup names those of version 1 only.
    const found = this.own.find(subject, 'blkio');
    if (typeof found === 'number') {
      leave(watched);
      watched.group = found;
      return;
    }
    const [directory] = found.chain;
    if (typeof watched.group !== 'number' && watched.directory === directory) return;
    leave(watched);
    watched.group = this.groups.open(found);
    watched.directory = directory;
  }
}

function leave(watched: Watched): void {
  if (typeof watched.group !== 'number') watched.group.close();
  watched.group = Outcome.busy;
  watched.directory = '';
}
