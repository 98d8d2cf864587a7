import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DRIVERS } from '../src/modules/hypervisor/drivers.js';
import { Discovery } from '../src/modules/instances/discovery.js';
import { KataSource } from '../src/modules/instances/kata.source.js';
import { FakeProc, type statLine } from './fake-proc.js';

export const SHIM = '/opt/kata/bin/containerd-shim-kata-v2';
export const TASKS = 'containerd/io.containerd.runtime.v2.task/k8s.io';

export interface FakeProgram {
  readonly argv: readonly string[];
  readonly executable?: string;
  readonly parent?: number;
  readonly startTicks?: number;
  readonly comm?: string;
  /** Holds a VM of KVM. */
  readonly vm?: boolean;
  readonly cgroup?: string;
  readonly change?: Parameters<typeof statLine>[0];
}

/** A host of files with Kata's directories, containerd's bundles and the processes of sandboxes. */
export class FakeKata {
  readonly proc = new FakeProc();
  readonly host = this.proc.host();
  readonly discovery = new Discovery(this.host, DRIVERS, ['/usr/bin/qemu-system-*']);
  readonly source = new KataSource(this.host, this.discovery.source, false);

  /** One pass, as the registry makes it. */
  async list(): ReturnType<KataSource['list']> {
    await this.discovery.source.list();
    return this.source.list();
  }

  run(...path: string[]): string {
    return join(this.host.roots.run, ...path);
  }

  write(path: string, content: unknown): void {
    mkdirSync(dirname(this.run(path)), { recursive: true });
    writeFileSync(this.run(path), typeof content === 'string' ? content : JSON.stringify(content));
  }

  directory(path: string): string {
    mkdirSync(this.run(path), { recursive: true });
    return this.run(path);
  }

  program(pid: number, { argv, executable = argv[0], parent = 1, startTicks = pid, comm, vm = false, cgroup, change }: FakeProgram): void {
    const name = comm ?? executable.slice(executable.lastIndexOf('/') + 1).slice(0, 15);
    this.proc.addProcess(pid, { comm: name, parent, startTicks, ...change });
    this.proc.link(`${pid}/exe`, executable);
    this.proc.write(`${pid}/comm`, `${name}\n`);
    this.proc.write(`${pid}/cmdline`, argv.map((word) => `${word}\0`).join(''));
    if (vm) this.proc.link(`${pid}/fd/9`, 'anon_inode:kvm-vm');
    if (cgroup !== undefined) this.proc.write(`${pid}/cgroup`, `0::${cgroup}\n`);
  }

  shim(pid: number, id: string, change: Partial<FakeProgram> = {}): void {
    this.program(pid, { argv: [SHIM, '-namespace', 'k8s.io', '-address', '/run/containerd/containerd.sock', '-id', id], ...change });
  }

  /** As the Go runtime starts it: the id of host discovery is then the uuid. */
  qemu(pid: number, id: string, change: Partial<FakeProgram> = {}): void {
    const uuid = `0b2b9c7e-58f6-4c3b-9a70-${String(pid).padStart(12, '0')}`;
    const argv = ['/usr/bin/qemu-system-x86_64', '-name', `sandbox-${id},debug-threads=on`, '-uuid', uuid, '-smp', '1', '-m', '2048M'];
    this.program(pid, { argv, vm: true, ...change });
  }

  virtiofsd(pid: number, id: string, parent: number): void {
    const shared = `--shared-dir=/run/kata-containers/shared/sandboxes/${id}/shared`;
    this.program(pid, { argv: ['/usr/libexec/virtiofsd', '--syslog', shared, '--fd=3'], parent });
  }

  bundle(id: string, shimPid: number | undefined, spec: unknown = podSpec(id)): void {
    this.write(`${TASKS}/${id}/config.json`, spec);
    if (shimPid !== undefined) this.write(`${TASKS}/${id}/shim.pid`, String(shimPid));
  }

  close(): void {
    this.source.stop();
    this.proc.close();
  }
}

/** What containerd writes for the sandbox container of a pod. */
export const podSpec = (id: string, annotations: Readonly<Record<string, string>> = {}): unknown => ({
  ociVersion: '1.1.0',
  process: { env: ['TOKEN=hunter2-in-env'], args: ['/pause', '--password=args-secret'] },
  annotations: {
    'io.kubernetes.cri.container-type': 'sandbox',
    'io.kubernetes.cri.sandbox-id': id,
    'io.kubernetes.cri.sandbox-name': `pod-of-${id}`,
    'io.kubernetes.cri.sandbox-namespace': 'shop',
    'io.kubernetes.cri.sandbox-uid': 'uid-1',
    ...annotations,
  },
  linux: {
    cgroupsPath: `/kubepods/besteffort/pod1/${id}`,
    namespaces: [{ type: 'pid' }, { type: 'network', path: '/var/run/netns/cni-bundle' }],
  },
});

/** persist.json of the Go runtime with QEMU. */
export const persist = (
  id: string,
  hypervisor: Readonly<Record<string, unknown>> = {},
  rest: Readonly<Record<string, unknown>> = {},
): unknown => ({
  CgroupPaths: null,
  State: 'running',
  SandboxContainer: id,
  SandboxCgroupPath: `/kubepods/besteffort/pod1/kata_${id}`,
  OverheadCgroupPath: `/kata_overhead/${id}`,
  HypervisorState: {
    Type: 'qemu',
    UUID: 'u',
    APISocket: '',
    HotpluggedVCPUs: null,
    HotpluggedMemory: 0,
    VirtiofsDaemonPid: 0,
    Pid: 0,
    ...hypervisor,
  },
  AgentState: { URL: 'vsock://4711:1024' },
  Network: { NetworkID: '/var/run/netns/cni-persist', Endpoints: null, NetworkCreated: false },
  Config: { SandboxCgroupOnly: false, HypervisorConfig: { MemorySize: 2048 } },
  PersistVersion: 2,
  ...rest,
});

/** state.json of runtime-rs. */
export const rustState = (id: string, type: string, hypervisor: Readonly<Record<string, unknown>> = {}): unknown => ({
  sandbox_type: 'virtcontainer',
  resource: {
    endpoint: [],
    cgroup_state: { path: `/kata/${id}`, overhead_path: `kata_overhead/${id}`, sandbox_cgroup_only: true, enable_vcpus_pinning: false },
  },
  hypervisor: {
    hypervisor_type: type,
    pid: null,
    uuid: '',
    api_socket: '',
    id,
    vm_path: `/run/kata/${id}`,
    jailed: false,
    jailer_root: `/run/kata/${id}/root`,
    netns: '/var/run/netns/cni-state',
    run_dir: `/run/kata/${id}`,
    virtiofs_daemon_pid: 0,
    ...hypervisor,
  },
});
