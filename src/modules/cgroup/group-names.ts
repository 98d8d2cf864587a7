import type { InstanceRecord } from '../../model/instance.js';
import { levels } from './membership.js';

/**
 * Who made the cgroup that is the instance's own. `libvirt`: `machine-qemu\x2d….scope` or `<name>.libvirt-qemu`. `kata`: the sandbox's.
 * `jailer`: Firecracker's. `unit`: a service or scope of systemd. `other`: any other that holds nobody else.
 */
export const GROUP_KINDS = ['libvirt', 'kata', 'jailer', 'unit', 'other'] as const;
export type GroupKind = (typeof GROUP_KINDS)[number];

/** A cgroup that may be the instance's own. */
export interface Candidate {
  readonly kind: GroupKind;
  readonly path: string;
  /** Made for one VM or one container by whoever manages those: what else is in it serves that VM, unless it is another VMM. */
  readonly isMadeForOne: boolean;
}

const LIBVIRT = /^machine-qemu\\x2d.+\.scope$|\.libvirt-qemu$/;
/** containerd, CRI-O, Docker, Podman by systemd; by cgroupfs a directory that is the container's id. */
const CONTAINER = /^(cri-containerd|crio|docker|libpod|nerdctl)-[0-9a-f]+\.scope$|^(crio-|libpod-)?[0-9a-f]{64}$/;
const UNIT = /\.(service|scope)$/;
/** A login, a user's manager, what systemd itself stands in: there is no saying who comes and goes there. */
const SHARED_UNIT = /^(session-[^/]+\.scope|user@[^/]*\.service|init\.scope)$/;
const SLICE = /\.slice$/;

/** systemd.slice(5), and what holds nothing but other cgroups by whoever made it. */
const isNobodysOwn = (name: string): boolean => name === '' || SLICE.test(name) || SHARED_UNIT.test(name);

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'));

/** The cgroup itself or one that lies in it. */
export const isWithin = (path: string, outer: string): boolean => outer === '/' || path === outer || path.startsWith(`${outer}/`);

/** The innermost cgroup that all of these are or lie in. */
export function commonPath(paths: readonly string[]): string {
  const [first = '/'] = paths;
  return levels(first).find((level) => paths.every((path) => isWithin(path, level))) ?? '/';
}

/**
 * Cgroups that may be the instance's own, judged by their names, the likeliest first.
 * @param paths where its threads stand in one hierarchy
 */
export function candidates(paths: readonly string[], { id, hypervisor, sandbox }: InstanceRecord): readonly Candidate[] {
  // Where there is an overhead cgroup only the vCPUs are in the sandbox's, and what has no threads of its own to move is in the overhead's.
  const ofKata = [sandbox?.cgroup?.path, sandbox?.cgroup?.overheadPath].find((one) =>
    paths.some((path) => one !== undefined && isWithin(path, one)),
  );
  if (ofKata !== undefined) return [{ kind: 'kata', path: ofKata, isMadeForOne: true }];
  const common = commonPath(paths);
  const outwards = levels(common);
  const ofLibvirt = outwards.find((level) => LIBVIRT.test(nameOf(level)));
  if (ofLibvirt !== undefined) return [{ kind: 'libvirt', path: ofLibvirt, isMadeForOne: true }];
  if (isNobodysOwn(nameOf(common))) return [];
  const kind = hypervisor === 'firecracker' && (nameOf(common) === id || nameOf(parentOf(common)) === 'firecracker') ? 'jailer' : 'other';
  const innermost: Candidate = { kind, path: common, isMadeForOne: kind === 'jailer' || CONTAINER.test(nameOf(common)) };
  const unit = outwards.find((level) => UNIT.test(nameOf(level)));
  if (kind === 'jailer' || unit === undefined || SHARED_UNIT.test(nameOf(unit))) return [innermost];
  const ofSystemd: Candidate = { kind: 'unit', path: unit, isMadeForOne: CONTAINER.test(nameOf(unit)) };
  return unit === common ? [ofSystemd] : [ofSystemd, innermost];
}
