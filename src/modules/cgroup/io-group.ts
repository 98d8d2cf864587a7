import type { Host } from '../../host/host.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import {
  type ByDevice,
  type DeviceNumbers,
  type Directions,
  IO_LIMITS,
  type IoCounter,
  type IoLimit,
  noNumbers,
  parseIoMax,
  parseIoStat,
  parseServiced,
  parseThrottle,
} from './io-stat.js';
import type { OwnGroup } from './own-group.js';
import { openIfThere, type Parse, type ParsedFile, ParsedFiles } from './parsed-files.js';

export type Counters = ByDevice<DeviceNumbers<IoCounter>>;
export type Limits = ByDevice<DeviceNumbers<IoLimit>>;

/** What a cgroup says of block devices. The same object as long as it says the same. */
export interface IoReading {
  readonly counters: Counters;
  /** Those that hold: of all levels the least. */
  readonly limits: Limits;
}

/** Files of one version. */
interface Files {
  /** null: a text that is none. @throws ENODEV */
  read(sweep: number): { readonly parts: readonly unknown[]; readonly make: () => IoReading } | null;
  close(): void;
  /** The cgroup was removed. */
  forget(): void;
}

/** The block I/O of the cgroups that VMs have for themselves, and what limits it. */
export class IoGroups {
  private readonly limits: ParsedFiles<Limits>;

  constructor(private readonly host: Host) {
    this.limits = new ParsedFiles(host, parseIoMax);
  }

  /** @returns notConfigured where the controller is off in it @throws errors of opening */
  open(group: OwnGroup): IoGroup | Outcome {
    const files = group.version === 2 ? SecondVersion.open(this.host, group, this.limits) : FirstVersion.open(this.host, group);
    return files ? new IoGroup(files) : Outcome.notConfigured;
  }
}

export class IoGroup {
  private parts: readonly unknown[] = [];
  private reading: IoReading | null = null;

  constructor(private readonly files: Files) {}

  /** @returns gone when it was removed; malformed and other failures */
  read(sweep: number): IoReading | Outcome {
    try {
      const said = this.files.read(sweep);
      if (!said) return Outcome.malformed;
      if (!this.reading || said.parts.some((part, i) => part !== this.parts[i])) {
        this.parts = said.parts;
        this.reading = said.make();
      }
      return this.reading;
    } catch (error) {
      const outcome = outcomeOfErrno(error);
      if (outcome === Outcome.gone) this.files.forget();
      return outcome;
    }
  }

  close(): void {
    this.files.close();
  }
}

/** `io.stat` of the cgroup, and `io.max` of it and of all it lies in. */
class SecondVersion implements Files {
  private readonly levels: ParsedFile<Limits>[] = [];

  private constructor(
    private readonly stat: ParsedFile<Counters>,
    private readonly limits: ParsedFiles<Limits>,
  ) {}

  static open(host: Host, { chain }: OwnGroup, limits: ParsedFiles<Limits>): SecondVersion | null {
    const stat = openIfThere(host, `${chain[0]}/io.stat`, parseIoStat);
    if (!stat) return null;
    const files = new SecondVersion(stat, limits);
    try {
      // The root has none, nor has a cgroup whose controller is off.
      for (const directory of chain) {
        const level = limits.take(`${directory}/io.max`);
        if (level) files.levels.push(level);
      }
      return files;
    } catch (error) {
      files.close();
      throw error;
    }
  }

  read(sweep: number): ReturnType<Files['read']> {
    const counters = this.stat.read(sweep);
    if (!counters) return null;
    const levels: Limits[] = [];
    for (const file of this.levels) {
      const level = file.read(sweep);
      if (!level) return null;
      levels.push(level);
    }
    return { parts: [counters, ...levels], make: () => ({ counters, limits: least(levels) }) };
  }

  close(): void {
    this.stat.close();
    for (const level of this.levels.splice(0)) this.limits.give(level);
  }

  forget(): void {
    for (const level of this.levels) this.limits.forget(level);
  }
}

/** Levels of each device's limits to those that hold. */
function least(levels: readonly Limits[]): Limits {
  const limits = new Map<string, DeviceNumbers<IoLimit>>();
  for (const level of levels) {
    for (const [device, numbers] of level) {
      const own = limits.get(device) ?? noNumbers(IO_LIMITS);
      limits.set(device, own);
      for (const word of IO_LIMITS) if (!(own[word] <= numbers[word])) own[word] = Number.isNaN(numbers[word]) ? own[word] : numbers[word];
    }
  }
  return limits;
}

const THROTTLES: Readonly<Record<IoLimit, string>> = {
  readBytes: 'read_bps_device',
  writeBytes: 'write_bps_device',
  readOperations: 'read_iops_device',
  writeOperations: 'write_iops_device',
};

/** `blkio.throttle.*`. Limits of cgroups above do not hold in version 1: each is told apart (kernel, block/blk-throttle.c). */
class FirstVersion implements Files {
  private constructor(
    private readonly bytes: ParsedFile<ByDevice<Directions>>,
    private readonly operations: ParsedFile<ByDevice<Directions>>,
    private readonly limits: readonly (readonly [IoLimit, ParsedFile<ByDevice<number>>])[],
  ) {}

  static open(host: Host, { chain }: OwnGroup): FirstVersion | null {
    const opened: { close(): void }[] = [];
    const open = <T>(file: string, parse: Parse<T>): ParsedFile<T> | null => {
      const found = openIfThere(host, `${chain[0]}/blkio.throttle.${file}`, parse);
      if (found) opened.push(found);
      return found;
    };
    // With what is in cgroups below, since Linux 4.20.
    const counters = (file: string) => open(`${file}_recursive`, parseServiced) ?? open(file, parseServiced);
    let files: FirstVersion | null = null;
    try {
      const bytes = counters('io_service_bytes');
      const operations = counters('io_serviced');
      const limits = IO_LIMITS.flatMap((word) => {
        const file = open(THROTTLES[word], parseThrottle);
        return file ? [[word, file] as const] : [];
      });
      if (bytes && operations) files = new FirstVersion(bytes, operations, limits);
      return files;
    } finally {
      if (!files) for (const file of opened) file.close();
    }
  }

  read(sweep: number): ReturnType<Files['read']> {
    const bytes = this.bytes.read(sweep);
    const operations = this.operations.read(sweep);
    if (!bytes || !operations) return null;
    const limits: [IoLimit, ByDevice<number>][] = [];
    for (const [word, file] of this.limits) {
      const limit = file.read(sweep);
      if (!limit) return null;
      limits.push([word, limit]);
    }
    return {
      parts: [bytes, operations, ...limits.map(([, limit]) => limit)],
      make: () => ({ counters: joined(bytes, operations), limits: byDevice(limits) }),
    };
  }

  close(): void {
    this.bytes.close();
    this.operations.close();
    for (const [, file] of this.limits) file.close();
  }

  forget(): void {
    // Nothing of it is anybody else's.
  }
}

function joined(bytes: ByDevice<Directions>, operations: ByDevice<Directions>): Counters {
  const devices = new Set([...bytes.keys(), ...operations.keys()]);
  return new Map(
    [...devices].map((device) => {
      const moved = bytes.get(device) ?? UNTOLD;
      const done = operations.get(device) ?? UNTOLD;
      return [
        device,
        {
          ...{ readBytes: moved.read, writeBytes: moved.write, discardBytes: moved.discard },
          ...{ readOperations: done.read, writeOperations: done.write, discardOperations: done.discard },
        },
      ];
    }),
  );
}

const UNTOLD: Directions = { read: Number.NaN, write: Number.NaN, discard: Number.NaN };

function byDevice(limits: readonly (readonly [IoLimit, ByDevice<number>])[]): Limits {
  const devices = new Map<string, DeviceNumbers<IoLimit>>();
  for (const [word, limit] of limits) {
    for (const [device, value] of limit) {
      const own = devices.get(device) ?? noNumbers(IO_LIMITS);
      devices.set(device, own);
      own[word] = value;
    }
  }
  return devices;
}
