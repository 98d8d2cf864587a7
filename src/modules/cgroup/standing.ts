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

/** Where processes stand among the cgroups of a controller. */
export class Standings {
  private readonly hierarchies: Hierarchies;

  constructor(private readonly host: Host) {
    this.hierarchies = new Hierarchies(host);
  }

  /**
   * A chain for each cgroup that a thread of the process is in: libvirt gives each vCPU and the emulator one of its own, with its own quota.
   * Costs 4 µs for the process and 12 µs a thread, and the kernel's lock of all cgroups.
   * @throws errors of reading /proc/<pid>
   */
  chains(process: HeldProcess, controller: string): readonly Chain[] | Outcome {
    const standing = read(process, 'cgroup');
    const place = this.placeOf(standing, controller);
    if (typeof place === 'number') return place;
    const found = new Map([[place.path, place]]);
    if (this.mayBeSpread(place)) {
      // Nearly always all threads stand where the process does.
      const seen = new Set([standing]);
      for (const thread of process.threads()) {
        const other = readOfThread(process, thread);
        if (other === null || seen.has(other)) continue;
        seen.add(other);
        const own = this.placeOf(other, controller);
        if (typeof own === 'number') return own;
        found.set(own.path, own);
      }
    }
    const chains = [...found.values()].map(({ root, path }) => levels(path).map((level) => (level === '/' ? root : root + level)));
    return chains.length > MOST_CGROUPS || chains.some(({ length }) => length > MOST_LEVELS) ? Outcome.tooLarge : chains;
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
