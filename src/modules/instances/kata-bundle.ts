import { NAME_LIMIT, type Sandbox } from '../../model/instance.js';
import { cgroupPath } from './kata-cgroup.js';
import { Picked } from './kata-members.js';

const MAX_NAMESPACES = 64;
const ABSOLUTE = /^\//;

/** Annotations in the words of containerd, CRI-O and dockershim; the first that is there counts. */
const KEYS = {
  type: ['io.kubernetes.cri.container-type', 'io.kubernetes.cri-o.ContainerType', 'io.kubernetes.docker.type'],
  sandbox: ['io.kubernetes.cri.sandbox-id', 'io.kubernetes.cri-o.SandboxID', 'io.kubernetes.sandbox.id'],
  uid: ['io.kubernetes.cri.sandbox-uid', 'io.kubernetes.pod.uid'],
  name: ['io.kubernetes.cri.sandbox-name', 'io.kubernetes.pod.name', 'io.kubernetes.cri-o.KubeName'],
  namespace: ['io.kubernetes.cri.sandbox-namespace', 'io.kubernetes.pod.namespace', 'io.kubernetes.cri-o.Namespace'],
} as const;

/** What the OCI spec of a container says of its pod. Nothing of its process, mounts and environment, which may hold secrets. */
export interface KataBundle {
  readonly pod?: Sandbox['pod'];
  /** A container that joined the sandbox of this id, or of one it does not name. */
  readonly joined?: string;
  readonly networkNamespace?: string;
  readonly cgroupPath?: string;
  readonly ignored: readonly string[];
}

/** config.json of an OCI bundle (runtime-spec, config.md, config-linux.md). @throws MalformedError */
export function parseBundle(text: string): KataBundle {
  const spec = Picked.parse(text);
  const annotations = spec.object('annotations');
  const first = (keys: readonly string[]): string | undefined =>
    keys.map((key) => annotations.text(key, undefined, NAME_LIMIT)).find((value) => value !== undefined);
  const linux = spec.object('linux');
  const network = linux.objects('namespaces', MAX_NAMESPACES).find((namespace) => namespace.text('type') === 'network');
  const pod = { uid: first(KEYS.uid), name: first(KEYS.name), namespace: first(KEYS.namespace) };
  return {
    pod: Object.values(pod).some((value) => value !== undefined) ? pod : undefined,
    joined: first(KEYS.type) === 'container' ? (first(KEYS.sandbox) ?? '') : undefined,
    networkNamespace: network?.text('path', ABSOLUTE),
    cgroupPath: cgroupPath(linux.text('cgroupsPath')),
    ignored: spec.ignored,
  };
}
