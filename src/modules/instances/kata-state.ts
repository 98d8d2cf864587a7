import type { Hypervisor, Sandbox } from '../../model/instance.js';
import { mibToBytes } from '../../model/units.js';
import { cgroupPath } from './kata-cgroup.js';
import { Picked } from './kata-members.js';

/** PID_MAX_LIMIT of a 64-bit kernel, include/linux/threads.h. */
const PID_LIMIT = 4_194_304;
/** MiB; 16 TiB. */
const MEMORY_LIMIT_MIB = 1 << 24;
const MAX_HOTPLUGGED_VCPUS = 16_384;
const ABSOLUTE = /^\//;
const AGENT_URL = /^[a-z]+:\/\/\S+$/;
const AGENT_URL_LIMIT = 512;
/** Port of the agent in the guest, agent_config server_port. */
const AGENT_PORT = 1024;

/** What a runtime keeps of one sandbox on disk. Every pid is a word of yesterday: it may be anybody's by now. */
export interface KataState {
  /** `unknown`: one that has no process on this host, or that we do not know. */
  readonly hypervisor?: Hypervisor;
  readonly vmmPid?: number;
  readonly virtiofsdPid?: number;
  readonly agentUrl?: string;
  readonly networkNamespace?: string;
  readonly cgroup?: Sandbox['cgroup'];
  /** Given to the VM after its start, so not in the VMM's argv. */
  readonly hotpluggedVcpus?: number;
  readonly hotpluggedMemoryBytes?: number;
  /** Members that make no sense; what they would have said is left out. */
  readonly ignored: readonly string[];
}

/** Kata's own names: virtcontainers/hypervisor.go, libs/kata-types/src/config/hypervisor. */
const HYPERVISORS: Readonly<Record<string, Hypervisor>> = {
  qemu: 'qemu',
  clh: 'cloud-hypervisor',
  'cloud-hypervisor': 'cloud-hypervisor',
  firecracker: 'firecracker',
  stratovirt: 'stratovirt',
  dragonball: 'dragonball',
};

const hypervisorOf = (name: string | undefined): Hypervisor | undefined =>
  name === undefined ? undefined : Object.hasOwn(HYPERVISORS, name) ? HYPERVISORS[name] : 'unknown';

/**
 * <run>/vc/sbs/<id>/persist.json of the Go runtime: virtcontainers/persist/api/sandbox.go, keys as the Go fields.
 * @throws MalformedError
 */
export function parsePersist(text: string): KataState {
  const state = Picked.parse(text);
  const hypervisor = state.object('HypervisorState');
  const memory = hypervisor.count('HotpluggedMemory', MEMORY_LIMIT_MIB);
  const only = state.object('Config').flag('SandboxCgroupOnly');
  return {
    hypervisor: hypervisorOf(hypervisor.text('Type')),
    vmmPid: hypervisor.count('Pid', PID_LIMIT),
    virtiofsdPid: hypervisor.count('VirtiofsDaemonPid', PID_LIMIT),
    agentUrl: state.object('AgentState').text('URL', AGENT_URL, AGENT_URL_LIMIT),
    networkNamespace: state.object('Network').text('NetworkID', ABSOLUTE),
    cgroup: cgroupOf(state.text('SandboxCgroupPath'), state.text('OverheadCgroupPath'), only),
    hotpluggedVcpus: hypervisor.objects('HotpluggedVCPUs', MAX_HOTPLUGGED_VCPUS).length,
    hotpluggedMemoryBytes: memory === undefined ? undefined : mibToBytes(memory),
    ignored: state.ignored,
  };
}

/**
 * <run>/kata/<id>/state.json of runtime-rs: crates/hypervisor/src/hypervisor_persist.rs, crates/resource/src/resource_persist.rs. Its pids
 * and its API socket are empty in all known versions; with QEMU so is all but the type and the configuration.
 * @throws MalformedError
 */
export function parseRustState(text: string): KataState {
  const state = Picked.parse(text);
  const hypervisor = state.object('hypervisor');
  const cgroup = state.object('resource').object('cgroup_state');
  return {
    hypervisor: hypervisorOf(hypervisor.text('hypervisor_type')),
    vmmPid: hypervisor.count('pid', PID_LIMIT),
    virtiofsdPid: hypervisor.count('virtiofs_daemon_pid', PID_LIMIT),
    agentUrl: hybridVsock(hypervisor),
    networkNamespace: hypervisor.text('netns', ABSOLUTE),
    cgroup: cgroupOf(cgroup.text('path'), cgroup.text('overhead_path'), cgroup.flag('sandbox_cgroup_only')),
    ignored: state.ignored,
  };
}

/** Where a VMM with vsock over a unix socket listens for its host: `get_agent_socket` of each hypervisor of runtime-rs. */
function hybridVsock(hypervisor: Picked): string | undefined {
  const vmPath = hypervisor.text('vm_path', ABSOLUTE);
  const jailerRoot = hypervisor.text('jailer_root', ABSOLUTE);
  const url = (directory: string | undefined, socket: string): string | undefined =>
    directory === undefined ? undefined : `hvsock://${directory}/${socket}:${AGENT_PORT}`;
  switch (hypervisorOf(hypervisor.text('hypervisor_type'))) {
    case 'cloud-hypervisor':
      return url(vmPath, 'ch-vm.sock');
    case 'firecracker':
      return url(vmPath, hypervisor.flag('jailed') ? 'root/kata.hvsock' : 'kata.hvsock');
    case 'dragonball':
      return url(jailerRoot, 'kata.hvsock');
    default:
      return undefined;
  }
}

/** `vsock://<cid>:1024` of a VMM whose argv gives the guest its context id. */
export function agentUrlOf(argv: readonly string[]): string | undefined {
  const cid = argv.map((word) => /(?:^|,)guest-cid=(\d{1,10})(?:,|$)/.exec(word)?.[1]).find((found) => found !== undefined);
  return cid === undefined ? undefined : `vsock://${cid}:${AGENT_PORT}`;
}

function cgroupOf(sandbox: string | undefined, overhead: string | undefined, sandboxOnly: boolean | undefined): Sandbox['cgroup'] {
  const path = cgroupPath(sandbox);
  // runtime-rs names an overhead cgroup even where it makes none.
  const overheadPath = sandboxOnly ? undefined : cgroupPath(overhead);
  if (path === undefined && overheadPath === undefined && sandboxOnly === undefined) return undefined;
  return { path, overheadPath, sandboxOnly };
}
