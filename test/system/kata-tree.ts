import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Belongings } from './belongings.js';

/** What Kata and containerd write of one sandbox, as far as it differs from sandbox to sandbox. */
export interface SandboxFiles {
  readonly id: string;
  readonly shim: number;
  /** Kata's word for its hypervisor. */
  readonly kind: string;
  readonly vmm?: number;
  readonly virtiofsd?: number;
  readonly netns: string;
  readonly pod: { readonly uid: string; readonly name: string; readonly namespace: string };
}

const TASKS = 'containerd/io.containerd.runtime.v2.task/k8s.io';

/** A run directory of the test's own, filled as both runtimes of Kata and containerd fill theirs. */
export class KataTree {
  readonly run = mkdtempSync(join(tmpdir(), 'vmgauge-kata-'));

  constructor(belongings: Belongings) {
    belongings.own(() => rmSync(this.run, { recursive: true, force: true }));
  }

  /** <run>/vc/sbs/<id>/persist.json: virtcontainers/persist/api/sandbox.go. */
  go(files: SandboxFiles): void {
    const { id, kind, vmm = 0, virtiofsd = 0, netns } = files;
    this.bundle(files);
    const state = {
      State: 'running',
      SandboxContainer: id,
      SandboxCgroupPath: `/kubepods/kata_${id}`,
      OverheadCgroupPath: `/kata_overhead/${id}`,
      HypervisorState: { Type: kind, UUID: '', APISocket: '', HotpluggedMemory: 0, VirtiofsDaemonPid: virtiofsd, Pid: vmm },
      AgentState: { URL: 'vsock://42:1024' },
      Network: { NetworkID: netns, Endpoints: null, NetworkCreated: false },
      Config: { HypervisorType: kind, SandboxCgroupOnly: false },
      PersistVersion: 2,
    };
    this.write(`vc/sbs/${id}/persist.json`, `${JSON.stringify(state)}\n`);
  }

  /** <run>/kata/<id>/state.json: crates/runtimes/virt_container/src/sandbox_persist.rs. It knows no pid. */
  rust(files: SandboxFiles): void {
    const { id, kind, netns } = files;
    this.bundle(files);
    const state = {
      hypervisor: {
        hypervisor_type: kind,
        id,
        jailed: false,
        jailer_root: `/run/kata/${id}/root`,
        netns,
        pid: null,
        vm_path: `/run/kata/${id}`,
      },
      resource: { cgroup_state: { path: `kubepods/${id}`, overhead_path: `kata_overhead/${id}`, sandbox_cgroup_only: true }, endpoint: [] },
      sandbox_type: 'virt_container',
    };
    this.write(`kata/${id}/state.json`, JSON.stringify(state, null, 2));
  }

  /** As when a sandbox is deleted: Kata's directory, then containerd's. */
  remove(id: string): void {
    for (const directory of [`vc/sbs/${id}`, `kata/${id}`, `${TASKS}/${id}`])
      rmSync(join(this.run, directory), { recursive: true, force: true });
  }

  /** What containerd writes before a shim has done anything. */
  bundle({ id, shim, netns, pod }: Pick<SandboxFiles, 'id' | 'shim' | 'netns' | 'pod'>): void {
    const spec = {
      ociVersion: '1.2.0',
      annotations: {
        'io.kubernetes.cri.container-type': 'sandbox',
        'io.kubernetes.cri.sandbox-id': id,
        'io.kubernetes.cri.sandbox-name': pod.name,
        'io.kubernetes.cri.sandbox-namespace': pod.namespace,
        'io.kubernetes.cri.sandbox-uid': pod.uid,
      },
      linux: { cgroupsPath: `/kubepods/${id}`, namespaces: [{ type: 'network', path: netns }] },
    };
    this.write(`${TASKS}/${id}/config.json`, JSON.stringify(spec));
    this.write(`${TASKS}/${id}/shim.pid`, String(shim));
  }

  private write(name: string, text: string): void {
    const path = join(this.run, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}
