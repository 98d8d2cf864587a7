import type { Companion, Hypervisor, InstanceRecord, InstanceState, Runtime, Sandbox } from '../../model/instance.js';
import type { KataBundle } from './kata-bundle.js';
import type { SandboxDirectory } from './kata-directories.js';
import type { Worker } from './kata-processes.js';
import type { FoundVmm, Roles } from './kata-roles.js';
import { agentUrlOf, type KataState } from './kata-state.js';

/** Everything that was found out about one sandbox. */
export interface SandboxFindings {
  readonly id: string;
  /** Directories of this id, those with a readable state file first. */
  readonly directories: readonly SandboxDirectory[];
  readonly runtime?: Runtime;
  readonly state?: KataState;
  readonly spec?: KataBundle;
  readonly roles: Roles;
  /** Of a sandbox whose VMM is not there. */
  readonly withoutVmm: InstanceState;
}

/** The record of a sandbox behind which something lives. Pure. */
export function sandboxRecord({ id, directories, runtime, state, spec, roles, withoutVmm }: SandboxFindings): InstanceRecord {
  const { shim, vmm, virtiofsd } = roles;
  const hypervisor = hypervisorOf(vmm, state);
  const sandbox: Sandbox = {
    id,
    hypervisor,
    runtime,
    vmmInShim: vmm?.inShim ?? false,
    directory: directories.find((one) => !one.jailed && (runtime === undefined || one.runtime === runtime))?.path,
    pod: spec?.pod,
    agentUrl: state?.agentUrl ?? (vmm && agentUrlOf(vmm.worker.argv)),
    networkNamespace: state?.networkNamespace ?? spec?.networkNamespace,
    cgroup: cgroupOf(state, spec, runtime),
  };
  return {
    id,
    name: spec?.pod?.name,
    hypervisor,
    state: vmm ? undefined : withoutVmm,
    process: vmm && { pid: vmm.worker.pid, startTicks: vmm.worker.startTicks, mustBeVmm: true },
    ...plugged(vmm, state),
    companions: [...companion('shim', shim), ...companion('virtiofsd', virtiofsd)],
    sandbox,
  };
}

const companion = (role: Companion['role'], worker: Worker | undefined): Companion[] =>
  worker ? [{ role, pid: worker.pid, startTicks: worker.startTicks }] : [];

/** What the process is, and the file's word only where the process does not tell: a shim is asked or spared by this. */
function hypervisorOf(vmm: FoundVmm | undefined, state: KataState | undefined): Hypervisor | undefined {
  if (vmm?.inShim) return 'dragonball';
  const seen = vmm?.evidence?.hypervisor;
  if (seen !== undefined && seen !== 'kvm') return seen;
  // A VMM of its own beside the shim is not Dragonball, whatever a file says.
  return vmm && state?.hypervisor === 'dragonball' ? undefined : state?.hypervisor;
}

/** QEMU's argv knows nothing of what the Go runtime gave the VM since its start. */
function plugged(vmm: FoundVmm | undefined, state: KataState | undefined): Pick<InstanceRecord, 'vcpus' | 'memoryBytes'> {
  const { hypervisor, record } = vmm?.evidence ?? {};
  if (hypervisor !== 'qemu' || !state) return {};
  return {
    vcpus: sum(record?.vcpus, state.hotpluggedVcpus),
    memoryBytes: sum(record?.memoryBytes, state.hotpluggedMemoryBytes),
  };
}

const sum = (a: number | undefined, b: number | undefined): number | undefined => (a === undefined || b === undefined ? undefined : a + b);

/** The files of Kata first; the OCI spec says where the runtime was told to go. */
export function cgroupOf(state: KataState | undefined, spec: KataBundle | undefined, runtime: Runtime | undefined): Sandbox['cgroup'] {
  const told = state?.cgroup;
  if (told?.path !== undefined || spec?.cgroupPath === undefined) return told;
  const { cgroupPath } = spec;
  // The Go runtime prefixes the last part of a path, so that cAdvisor does not take it for a container's, but not a systemd scope.
  const prefixed = runtime === 'go' && !cgroupPath.endsWith('.scope');
  return { ...told, path: prefixed ? cgroupPath.replace(/\/([^/]+)$/, '/kata_$1') : cgroupPath };
}
