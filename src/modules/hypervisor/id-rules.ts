import { ID_PATTERN } from '../../model/instance.js';

/** Where a control plane leaves its own id or name of a VM. */
export interface Traces {
  /** Paths of control sockets, the pid file and the executable, as the process names them. */
  readonly paths: readonly string[];
  readonly cgroups: readonly string[];
  readonly name?: string;
}

/** How one control plane names what it starts. The pattern's group `id` or `name` is what it gives. */
export interface IdRule {
  readonly controlPlane: string;
  readonly origin: 'path' | 'cgroup' | 'name';
  readonly pattern: RegExp;
}

/** One row per habit of a control plane, the surest first. A group must not contain `/`. */
export const ID_RULES: readonly IdRule[] = [
  { controlPlane: 'hypeman', origin: 'path', pattern: /(?:^|\/)guests\/(?<id>[^/]+)\/(?:qemu|ch|fc)\.sock$/ },
  { controlPlane: 'kata (Go)', origin: 'path', pattern: /\/run\/vc\/(?:vm|sbs)\/(?<id>[^/]+)\// },
  // Kata cuts the id to 32 characters for the jailer.
  { controlPlane: 'kata (Go), jailed', origin: 'path', pattern: /\/run\/vc\/firecracker[^/]*\/(?<id>[^/]+)\/root\// },
  { controlPlane: 'kata (Rust), jailed', origin: 'path', pattern: /\/run\/kata\/firecracker\/(?<id>[^/]+)\/root\// },
  { controlPlane: 'kata (Rust)', origin: 'path', pattern: /\/run\/kata\/(?!firecracker\/)(?<id>[^/]+)\// },
  { controlPlane: 'kata', origin: 'name', pattern: /^sandbox-(?<id>[^/]+)$/ },
  { controlPlane: 'jailer', origin: 'path', pattern: /\/jailer\/[^/]+\/(?<id>[^/]+)\/root\// },
  { controlPlane: 'jailer', origin: 'cgroup', pattern: /\/firecracker(?![^/]*\.slice)[^/]*\/(?<id>[^/]+)$/ },
  { controlPlane: 'proxmox', origin: 'path', pattern: /\/run\/qemu-server\/(?<id>\d+)\.(?:qmp|pid)$/ },
  // libvirt cuts the name: to 64 characters for the scope, to 20 for the directory. So it serves as a name, never as an id.
  { controlPlane: 'libvirt', origin: 'cgroup', pattern: /\/machine-qemu\\x2d\d+\\x2d(?<name>[^/]+)\.scope(?:\/|$)/ },
  { controlPlane: 'libvirt', origin: 'path', pattern: /\/libvirt\/qemu\/domain-\d+-(?<name>[^/]+)\// },
];

/** What the rules make of the traces; the id matches ID_PATTERN. */
export function identify(traces: Traces, rules: readonly IdRule[] = ID_RULES): { readonly id?: string; readonly name?: string } {
  const id = firstMatch(traces, rules, 'id', (found) => ID_PATTERN.test(found));
  const name = firstMatch(traces, rules, 'name', (found) => found !== '');
  return { ...(id === undefined ? {} : { id }), ...(name === undefined ? {} : { name }) };
}

function firstMatch(
  traces: Traces,
  rules: readonly IdRule[],
  group: 'id' | 'name',
  accept: (found: string) => boolean,
): string | undefined {
  for (const { origin, pattern } of rules) {
    for (const text of tracesOf(traces, origin)) {
      const found = pattern.exec(text)?.groups?.[group];
      if (found === undefined) continue;
      const plain = origin === 'cgroup' ? unescapeUnit(found) : found;
      if (accept(plain)) return plain;
    }
  }
  return undefined;
}

function tracesOf({ paths, cgroups, name }: Traces, origin: IdRule['origin']): readonly string[] {
  if (origin === 'path') return paths;
  if (origin === 'cgroup') return cgroups;
  return name === undefined ? [] : [name];
}

/** systemd writes bytes that a unit name may not hold as `\xNN`, systemd-escape(1). */
const unescapeUnit = (text: string): string =>
  text.replace(/(?:\\x[0-9a-f]{2})+/g, (bytes) => Buffer.from(bytes.replaceAll('\\x', ''), 'hex').toString('utf8'));
