import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { seriesOf } from '../e2e/sandboxes.js';
import { type ParsedFamily, parseStrictly } from '../e2e/strict-exposition.js';
import { KataFiles, type Readings } from '../kata-files.js';
import { AgentProcess, builtAgent } from './agent-process.js';
import type { Belongings } from './belongings.js';
import { eventually } from './eventually.js';
import { KataTree, type SandboxFiles } from './kata-tree.js';
import { BASICS, compiler, iproute, kvm, type Need, qemu, tun } from './needs.js';
import { NetworkNamespace } from './network-namespace.js';
import { PidNamespace } from './pid-namespace.js';
import { QEMU } from './real-qemu.js';
import { StandIn, StandInPrograms } from './stand-in.js';
import type { SandboxDetail } from './stats-document.js';

export const KATA_NEEDS: readonly Need[] = [...BASICS, builtAgent, compiler, iproute, kvm, tun, qemu];
export const GUEST_MIB = 48;
/** Kata’s name of a sandbox’s first tap. */
export const TAP = 'tap0_kata';
/** Of clock ticks that are cut off, of user and system time each. */
export const CUT_SECONDS = 0.02;

/** A sandbox of real processes. */
export interface Running extends SandboxFiles {
  readonly vmm: number;
  readonly shimProcess: StandIn;
}

export const freshId = (): string => randomBytes(32).toString('hex');
export const podOf = (id: string): SandboxFiles['pod'] => ({ uid: randomUUID(), name: `pod-${id.slice(0, 8)}`, namespace: 'shop' });

/**
 * A host with Kata’s files and processes that stand for Kata’s, and an agent that looks at it. All in a pid namespace where nobody else’s
 * sandboxes come and go and pids can be chosen; their network namespaces are of their own.
 */
export class KataHost {
  private constructor(
    private readonly belongings: Belongings,
    readonly programs: StandInPrograms,
    private readonly networks: NetworkNamespace[],
    readonly inside: PidNamespace,
    readonly tree: KataTree,
    readonly agent: AgentProcess,
    /** The namespace’s /proc. */
    readonly files: KataFiles,
  ) {}

  /** @param networks how many network namespaces will be taken: mounts made later are not seen in the pid namespace */
  static async start(belongings: Belongings, networks: number): Promise<KataHost> {
    const programs = new StandInPrograms(belongings);
    const own = Array.from({ length: networks }, () => new NetworkNamespace(belongings));
    const inside = await PidNamespace.start(belongings, programs.launcher);
    const tree = new KataTree(belongings);
    const agent = await AgentProcess.start(belongings, { through: inside.entrance, flags: { 'path.run': tree.run } });
    return new KataHost(belongings, programs, own, inside, tree, agent, new KataFiles(inside.proc));
  }

  takeNetwork(): NetworkNamespace {
    const network = this.networks.pop();
    if (!network) throw new Error('all network namespaces are taken');
    return network;
  }

  /** argv in the order of the Go runtime. */
  startShim(id: string, orders: readonly string[] = []): Promise<StandIn> {
    const argv = [
      '-namespace',
      'k8s.io',
      '-address',
      '/run/containerd/containerd.sock',
      '-publish-binary',
      '/usr/bin/containerd',
      '-id',
      id,
    ];
    return this.startInside('containerd-shim-kata-v2', argv, orders);
  }

  startInside(program: string, argv: readonly string[], orders: readonly string[] = []): Promise<StandIn> {
    return StandIn.start(this.belongings, [...this.inside.entrance, this.programs.named(program), ...argv], orders);
  }

  /** Go runtime with a real QEMU, child of the shim, and a virtiofsd that forks its worker. */
  async startGo(network: NetworkNamespace, shimOrders: readonly string[] = []): Promise<Running & { readonly virtiofsd: number }> {
    const id = freshId();
    const shimProcess = await this.startShim(id, shimOrders);
    const [shim] = await shimProcess.tell('pid');
    const [virtiofsd] = await shimProcess.tell(`spawn new grow~3,worker~500 ${this.programs.named('virtiofsd')} ${VIRTIOFSD_WORDS}`);
    const [vmm] = await shimProcess.tell(`spawn ${network.path} - ${qemuWords()}`);
    const sandbox = { id, shim, kind: 'qemu', vmm, virtiofsd, netns: network.path, pod: podOf(id) };
    this.tree.go(sandbox);
    await this.isRunning(id, vmm);
    await eventually('its tap', () => this.files.interfaceNames(`${vmm}/net/dev`).includes(TAP));
    return { ...sandbox, shimProcess };
  }

  /** Go runtime with a stand-in for Cloud Hypervisor, child of the shim, in a network namespace that nobody has a name for. */
  async startCloudHypervisor(shimOrders: readonly string[] = []): Promise<Running> {
    const id = freshId();
    const shimProcess = await this.startShim(id, shimOrders);
    const [shim] = await shimProcess.tell('pid');
    const [vmm] = await shimProcess.tell(`spawn new kvm~2,thread~vcpu0~-~200 ${this.cloudHypervisorWords}`);
    const sandbox = { id, shim, kind: 'clh', vmm, netns: '/run/netns/none', pod: podOf(id) };
    this.tree.go(sandbox);
    await this.isRunning(id, vmm);
    return { ...sandbox, shimProcess };
  }

  get cloudHypervisorWords(): string {
    return `${this.programs.named('cloud-hypervisor')} --api-socket /run/vc/vm/%i/clh-api.sock`;
  }

  /** Resolves when the sandbox is known as one, and not only its VMM by its process, and a sweep has read it. */
  async isRunning(id: string, pid: number): Promise<void> {
    await eventually(`${id} running as ${pid}`, async () =>
      (await this.agent.list()).some((one) => one.id === id && one.pid === pid && one.state === 'running' && one.source === 'kata'),
    );
    await eventually(`series of ${id}`, async () => (await this.series(id)).has('kata_shim_threads'));
  }

  async page(): Promise<ReadonlyMap<string, ParsedFamily>> {
    return parseStrictly(await this.agent.read('/metrics'), 'text');
  }

  async series(id: string, wanted?: RegExp): Promise<Readings> {
    return seriesOf(await this.page(), id, wanted);
  }

  async detail(id: string): Promise<SandboxDetail> {
    // The shape is the agent's promise; what the tests read of it they compare.
    return JSON.parse(await this.agent.read(`/instances/${id}`)) as SandboxDetail;
  }

  async rolesOf(id: string): Promise<Readonly<Record<string, number>>> {
    return Object.fromEntries((await this.detail(id)).processes.map(({ role, pid }) => [role, pid]));
  }

  /** First child of a process’s first thread. */
  childOf(pid: number): number | undefined {
    const [child] = readFileSync(`${this.inside.proc}/${pid}/task/${pid}/children`, 'latin1').split(' ');
    return child === '' ? undefined : Number(child);
  }

  isAlive(pid: number): boolean {
    try {
      readFileSync(`${this.inside.proc}/${pid}/stat`);
      return true;
    } catch {
      return false;
    }
  }

  /** Resolves when the agent’s numbers lie between two readings of the files, one before and one after its own. */
  agree(id: string, read: () => Readings): Promise<unknown> {
    return eventually(`the numbers of ${id}`, async () => {
      const before = read();
      const found = await this.series(id);
      const after = read();
      for (const [name, low] of before) {
        const value = found.get(name);
        const high = after.get(name) ?? low;
        if (value === undefined || value < Math.min(low, high) || value > Math.max(low, high))
          throw new Error(`${name}: ${value}, not ${low} to ${high}`);
      }
      return true;
    });
  }
}

const VIRTIOFSD_WORDS = '--syslog --shared-dir=/run/kata-containers/shared/sandboxes/%i/shared --fd=3';
const qemuWords = (): string =>
  [
    `${QEMU} -name sandbox-%i,debug-threads=on -uuid ${randomUUID()} -accel kvm -S -nodefaults -display none -m ${GUEST_MIB}`,
    `-machine q35,memory-backend=ram -object memory-backend-memfd,id=ram,size=${GUEST_MIB}M,share=on,prealloc=on -smp 2`,
    `-netdev tap,id=network-0,ifname=${TAP},script=no,downscript=no -device virtio-net-pci,netdev=network-0,mac=02:00:00:00:00:01`,
  ].join(' ');
