import type { Host } from '../../host/host.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { Hierarchies, type Place } from './hierarchies.js';
import { levels, parseMemberships } from './membership.js';

/** A line for each of some 13 hierarchies, each path up to PATH_MAX. */
const text = Buffer.allocUnsafeSlow(65_536);
/** `cgroup.type` of those whose threads may stand in several cgroups below. */
const THREADED = /^(domain )?threaded\n$/;

/** More than any manager makes; whoever may make cgroups could make thousands, each with descriptors of ours. */
const MOST_LEVELS = 64;
const MOST_CGROUPS = 2048;

/** Directories of one cgroup and of all it lies in, up to the root of the hierarchy. */
export type Chain = readonly string[];

export const chainOf = (root: string, path: string): Chain => levels(path).map((level) => (level === '/' ? root : root + level));

/**
 * What the kernel says of where a process stands, in all hierarchies. Costs 4 µs for the process and 12 µs a thread, and the kernel's lock
 * of all cgroups.
 */
export class Standing {
  readonly ofProcess: string;
  private threads: ReadonlySet<string> | undefined;

  /** @throws errors of reading /proc/<pid> */
  constructor(private readonly process: HeldProcess) {
    this.ofProcess = read(process, 'cgroup');
  }

  /** Nearly always all threads stand where the process does. */
  get ofThreads(): ReadonlySet<string> {
    this.threads ??= new Set(this.process.threads().flatMap((thread) => readOfThread(this.process, thread) ?? []));
    return this.threads;
  }
}

/** Where processes stand among the cgroups of a controller. */
export class Standings {
  private readonly hierarchies: Hierarchies;

  constructor(private readonly host: Host) {
    this.hierarchies = new Hierarchies(host);
  }

  /**
   * A chain for each cgroup that a thread of the process is in.
   * @throws errors of reading /proc/<pid>
   */
  chains(process: HeldProcess, controller: string): readonly Chain[] | Outcome {
    const places = this.places(process, controller);
    return typeof places === 'number' ? places : places.map(({ root, path }) => chainOf(root, path));
  }

  /**
   * Each cgroup that a thread of the process is in, at least one: libvirt gives each vCPU and the emulator one of its own, with its own
   * quota. @throws errors of reading /proc/<pid>
   */
  places(process: HeldProcess, controller: string, standing = new Standing(process)): readonly Place[] | Outcome {
    const place = this.placeOf(standing.ofProcess, controller);
    if (typeof place === 'number') return place;
    const found = new Map([[place.path, place]]);
    for (const other of this.mayBeSpread(place) ? standing.ofThreads : []) {
      const own = this.placeOf(other, controller);
      if (typeof own === 'number') return own;
      found.set(own.path, own);
    }
    const places = [...found.values()];
    const isTooLarge = places.length > MOST_CGROUPS || places.some(({ path }) => levels(path).length > MOST_LEVELS);
    return isTooLarge ? Outcome.tooLarge : places;
  }

  /** In version 1 any thread may be anywhere; in version 2 only below a cgroup made for that. */
  private mayBeSpread({ version, root, path }: Place): boolean {
    return version === 1 || THREADED.test(this.host.tryReadText(`${root}${path}/cgroup.type`) ?? '');
  }

  private placeOf(standing: string, controller: string): Place | Outcome {
    const memberships = parseMemberships(standing);
    return memberships ? this.hierarchies.placeOf(memberships, controller) : Outcome.malformed;
  }
}

const read = (process: HeldProcess, file: string): string => text.toString('utf8', 0, process.readOnce(file, text));

/** null: the thread has ended. */
function readOfThread(process: HeldProcess, thread: string): string | null {
  try {
    return read(process, `task/${thread}/cgroup`);
  } catch (error) {
    if (outcomeOfErrno(error) === Outcome.gone) return null;
    throw error;
  }
}
