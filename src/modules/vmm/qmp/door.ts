import type { InstanceRecord } from '../../../model/instance.js';
import { Outcome } from '../../../model/outcome.js';
import type { Settings } from '../../../model/settings.js';
import type { Failure } from './failure.js';

/** `reserved`: for us alone, we may stay. `borrowed`: somebody else's, free at the moment; we ask and leave. */
export interface Door {
  readonly path: string;
  readonly kind: 'reserved' | 'borrowed';
}

/**
 * Monitors whose one client is somebody who comes back: libvirt (system and session), Kata, hypeman, and what else is known to keep a VM's
 * only monitor. By where they are, in whatever root. Such a monitor is never ours, whatever its name and whatever the configuration says.
 */
const OWNED: readonly RegExp[] = [
  /(^|\/)libvirt\/qemu\//,
  /(^|\/)run\/libvirt\//,
  /(^|\/)run\/(vc|kata|kata-containers)\//,
  /(^|\/)guests\/[^/]+\/qemu\.sock$/,
  /(^|\/)run\/(qemu-server|incus|lxd)\//,
];

export type DoorSettings = Pick<Settings, 'qmpMode' | 'qmpReserved' | 'hypemanDataDir'>;

/**
 * The monitors of an instance that may be asked, best first; pure. notConfigured: switched off, no monitor is for us, or it was started
 * without one; notPermitted: all it has are somebody else's.
 */
export function doorsOf(record: InstanceRecord, settings: DoorSettings): readonly Door[] | Failure {
  if (settings.qmpMode === 'off') return Outcome.notConfigured;
  const sockets = (record.sockets ?? []).filter((path) => path !== '' && !path.startsWith('@'));
  if (sockets.length === 0) return Outcome.notConfigured;
  if (record.sandbox) return Outcome.notPermitted;
  const free = sockets.filter((path) => !isOwned(path, settings));
  if (free.length === 0) return Outcome.notPermitted;
  const reserved = free.filter((path) => isReserved(path, settings.qmpReserved));
  const borrowed = settings.qmpMode === 'opportunistic' ? free.filter((path) => !reserved.includes(path)) : [];
  const doors = [
    ...reserved.map((path) => ({ path, kind: 'reserved' as const })),
    ...borrowed.map((path) => ({ path, kind: 'borrowed' as const })),
  ];
  return doors.length > 0 ? doors : Outcome.notConfigured;
}

/** @param path of a socket, as the VMM names it or as it is found without links */
export function isOwned(path: string, { hypemanDataDir }: Pick<Settings, 'hypemanDataDir'>): boolean {
  const plain = path.replace(/\/(\.?\/)+/g, '/');
  return OWNED.some((pattern) => pattern.test(plain)) || plain.startsWith(`${hypemanDataDir.replace(/\/+$/, '')}/guests/`);
}

function isReserved(path: string, globs: readonly string[]): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return globs.some((glob) => patternOf(glob).test(glob.includes('/') ? path : name));
}

/** `*` stands for any run of characters within one part. */
function patternOf(glob: string): RegExp {
  const literals = glob.split('*').map((literal) => literal.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${literals.join('[^/]*')}$`);
}

interface Known extends DoorSettings {
  readonly doors: readonly Door[] | Failure;
}

/** `doorsOf` for whoever asks in every sweep: records and settings change seldom, and a new record is a new object. */
export class Doors {
  private readonly known = new WeakMap<InstanceRecord, Known>();

  of(record: InstanceRecord, { qmpMode, qmpReserved, hypemanDataDir }: DoorSettings): readonly Door[] | Failure {
    const known = this.known.get(record);
    if (known && known.qmpMode === qmpMode && known.qmpReserved === qmpReserved && known.hypemanDataDir === hypemanDataDir)
      return known.doors;
    const doors = doorsOf(record, { qmpMode, qmpReserved, hypemanDataDir });
    this.known.set(record, { qmpMode, qmpReserved, hypemanDataDir, doors });
    return doors;
  }
}
