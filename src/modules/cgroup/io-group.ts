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
import { type Parse, type ParsedFile, ParsedFiles } from './parsed-file.js';

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
  readonly all: readonly ParsedFile<unknown>[];
  /** Of what the files said last. */
  make(): IoReading;
}

/** The block I/O of the cgroups that VMs have for themselves, and what limits it. */
export class IoGroups {
  private readonly files: ParsedFiles;

  constructor(host: Host) {
    this.files = new ParsedFiles(host);
  }

  /** @returns notConfigured where the controller is off in it @throws errors of opening */
  open(group: OwnGroup): IoGroup | Outcome {
    const opened: ParsedFile<unknown>[] = [];
    const open = <T>(path: string, parse: Parse<T>): ParsedFile<T> | null => {
      const file = this.files.take(path, parse);
      if (file) opened.push(file);
      return file;
    };
    let files: Files | null = null;
    try {
      files = group.version === 2 ? secondVersion(group, open) : firstVersion(group, open);
      return files ? new IoGroup(files, this.files) : Outcome.notConfigured;
    } finally {
      if (!files) for (const file of opened) this.files.give(file);
    }
  }
}

export class IoGroup {
  private parts: readonly unknown[] = [];
  private reading: IoReading | null = null;

  constructor(
    private readonly files: Files,
    private readonly shared: ParsedFiles,
  ) {}

  /** @returns gone when it was removed; malformed and other failures */
  read(sweep: number): IoReading | Outcome {
    const { all } = this.files;
    try {
      for (const file of all) file.read(sweep);
    } catch (error) {
      const outcome = outcomeOfErrno(error);
      this.reading = null;
      if (outcome === Outcome.gone) for (const file of all) this.shared.forget(file);
      return outcome;
    }
    const parts = all.map(({ value }) => value);
    // The kernel has the file and nothing to say in it: that nothing was moved would be made up.
    if (parts.includes(null)) {
      this.reading = null;
      return Outcome.unsupported;
    }
    if (!this.reading || parts.some((part, i) => part !== this.parts[i])) {
      this.parts = parts;
      this.reading = this.files.make();
    }
    return this.reading;
  }

  close(): void {
    for (const file of this.files.all) this.shared.give(file);
  }
}

type Open = <T>(path: string, parse: Parse<T>) => ParsedFile<T> | null;

/** `io.stat` of the cgroup, and `io.max` of it and of all it lies in: the root has none, nor has a cgroup whose controller is off. */
function secondVersion({ chain }: OwnGroup, open: Open): Files | null {
  const stat = open(`${chain[0]}/io.stat`, parseIoStat);
  if (!stat) return null;
  const levels = chain.flatMap((directory) => open(`${directory}/io.max`, parseIoMax) ?? []);
  return {
    all: [stat, ...levels],
    make: () => ({ counters: stat.value ?? NOTHING, limits: least(levels.map(({ value }) => value ?? NOTHING)) }),
  };
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

/**
 * `blkio.throttle.*`. Limits of cgroups above do not hold in version 1: each is told apart (kernel, block/blk-throttle.c). They are in a file
 * each.
 */
function firstVersion({ chain }: OwnGroup, open: Open): Files | null {
  const of = <T>(file: string, parse: Parse<T>) => open(`${chain[0]}/blkio.throttle.${file}`, parse);
  // With what is in cgroups below, since Linux 4.20.
  const counters = (file: string) => of(`${file}_recursive`, parseServiced) ?? of(file, parseServiced);
  const bytes = counters('io_service_bytes');
  const operations = counters('io_serviced');
  if (!bytes || !operations) return null;
  const limits = IO_LIMITS.flatMap((word) => {
    const file = of(THROTTLES[word], parseThrottle);
    return file ? [{ word, file }] : [];
  });
  return {
    all: [bytes, operations, ...limits.map(({ file }) => file)],
    make: () => ({
      counters: joined(bytes.value ?? NOTHING, operations.value ?? NOTHING),
      limits: byDevice(limits.map(({ word, file }) => [word, file.value ?? NOTHING])),
    }),
  };
}

/** Of a file that was not read. */
const NOTHING: ReadonlyMap<string, never> = new Map<string, never>();

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
