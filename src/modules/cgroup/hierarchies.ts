import type { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import { isOutside, type Membership } from './membership.js';

/** A cgroup as a place below the host's cgroup mounts. */
export interface Place {
  readonly version: 1 | 2;
  /** Directory of the hierarchy's root. */
  readonly root: string;
  /** From there. */
  readonly path: string;
}

/** On a hybrid host version 2 is mounted beside the hierarchies of version 1 (systemd). */
const UNIFIED = 'unified';

/**
 * Which directory a line of /proc/<pid>/cgroup means. Layouts: version 2 alone at the root of all mounts; or a directory for each hierarchy of
 * version 1, named by its controllers (`cpu,cpuacct`) or by one of them, with version 2, where there is any, in `unified`.
 */
export class Hierarchies {
  constructor(private readonly host: Host) {}

  /** The cgroup whose controller of this name rules the process. notConfigured: nothing of it is below our mounts; notPermitted: out of our sight. */
  placeOf(memberships: readonly Membership[], controller: string): Place | Outcome {
    const own = memberships.find(({ controllers }) => controllers.includes(controller));
    const unified = memberships.find(({ controllers }) => controllers.length === 0);
    // A controller is in one hierarchy at a time: one that has a line of its own is not in version 2.
    if (own) return place(1, this.rootOf(own, controller), own);
    return unified ? place(2, this.unifiedRoot(), unified) : Outcome.unsupported;
  }

  private rootOf({ controllers }: Membership, controller: string): string | undefined {
    const names = new Set([controllers.join(','), controller, ...controllers]);
    return [...names].map((name) => this.host.cgroup(name)).find((directory) => this.host.exists(directory));
  }

  private unifiedRoot(): string | undefined {
    // In every cgroup of version 2, and only there.
    return [this.host.cgroup(), this.host.cgroup(UNIFIED)].find((directory) => this.host.exists(`${directory}/cgroup.controllers`));
  }
}

function place(version: 1 | 2, root: string | undefined, { path }: Membership): Place | Outcome {
  if (root === undefined) return Outcome.notConfigured;
  return isOutside(path) ? Outcome.notPermitted : { version, root, path };
}
