import type { Host } from '../../host/host.js';
import type { Subject } from '../../model/collector.js';
import { Outcome } from '../../model/outcome.js';
import { type Chain, Standings } from './standing.js';

/**
 * Who made the cgroup that is the instance's own. `libvirt`: `machine-qemu\x2d….scope` or `<name>.libvirt-qemu`. `kata`: the sandbox's.
 * `jailer`: Firecracker's. `unit`: a service or scope of systemd. `other`: any other that holds nobody else.
 */
export const GROUP_KINDS = ['libvirt', 'kata', 'jailer', 'unit', 'other'] as const;
export type GroupKind = (typeof GROUP_KINDS)[number];

/** The cgroup of an instance, in the hierarchy of one controller. */
export interface OwnGroup {
  readonly kind: GroupKind;
  readonly version: 1 | 2;
  /** From the root of its hierarchy. */
  readonly path: string;
  /** Directories of it and of all it lies in, the root of the hierarchy last. */
  readonly chain: Chain;
}

/** Version 2 by itself: what is in every cgroup of it, whichever controllers it has. */
export const UNIFIED = '';

/** Which cgroup is an instance's own: one that holds it, whole, and nobody else. */
export class OwnGroups {
  private readonly standings: Standings;

  constructor(host: Host) {
    this.standings = new Standings(host);
  }

  /**
   * @param controller by which the hierarchy is chosen; UNIFIED for version 2
   * @returns notConfigured where the instance has none of its own; unsupported where there is no such hierarchy
   * @throws errors of reading /proc/<pid>
   */
  find({ process }: Subject, controller: string): OwnGroup | Outcome {
    if (!process) return Outcome.gone;
    const chains = this.standings.chains(process, controller);
    return typeof chains === 'number' ? chains : Outcome.notConfigured;
  }
}
