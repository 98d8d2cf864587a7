import type { Collector, CollectorAbout, Subject } from '../src/model/collector.js';
import type { InstanceRecord } from '../src/model/instance.js';
import { counter, gauge, metric } from '../src/model/metric.js';
import { Outcome } from '../src/model/outcome.js';
import type { Tables } from '../src/model/tables.js';
import type { PassedFamily } from '../src/modules/exposition/passed-family.js';
import { type LastWords, PassThrough } from '../src/modules/shim/pass-through.js';

const status = gauge({ name: 'kata_shim_proc_status', help: 'Status of the shim.', identity: 'sandbox' });
const ticks = gauge({ name: 'kata_shim_proc_stat', help: 'Ticks of the shim.', identity: 'sandbox' });
const netdev = gauge({ name: 'kata_shim_netdev', help: 'Interfaces of the sandbox.', identity: 'sandbox_interface' });
const hypervisorNetdev = gauge({ name: 'kata_hypervisor_netdev', help: 'The same.', identity: 'sandbox_vmm_interface' });
const interfaceItem = (item: string) =>
  metric({
    json: item,
    description: `${item} of the interface.`,
    also: [netdev, hypervisorNetdev].map((family) => ({ family, labels: { item } })),
  });

const METRICS = {
  threads: metric({
    json: 'shim.threads',
    family: gauge({ name: 'kata_shim_threads', help: 'Threads of the shim.', identity: 'sandbox' }),
  }),
  cpu: metric({
    json: 'shim.cpu.user_seconds',
    description: 'User CPU time of the shim.',
    decimals: 2,
    also: [{ family: ticks, labels: { item: 'utime' }, decimals: 0 }],
  }),
  rss: metric({
    json: 'shim.memory.resident_bytes',
    description: 'RSS.',
    also: [{ family: status, labels: { item: 'vmrss' }, kib: true }],
  }),
  switches: metric({ json: 'shim.voluntary', family: status, labels: { item: 'voluntary_ctxt_switches' } }),
  openFds: metric({
    json: 'shim.open_fds',
    family: gauge({ name: 'kata_shim_fds', help: 'Descriptors of the shim.', identity: 'sandbox' }),
    also: [{ family: gauge({ name: 'kata_shim_process_open_fds', help: 'The same.', identity: 'sandbox' }) }],
  }),
  native: metric({
    json: 'shim.native_bytes',
    family: gauge({ name: 'vmgauge_shim_native_bytes', help: 'Of ours alone.', unit: 'bytes', identity: 'sandbox' }),
  }),
  processCpu: metric({
    json: 'shim.cpu.seconds',
    decimals: 2,
    family: counter({ name: 'kata_shim_process_cpu_seconds_total', help: 'CPU of the shim.', unit: 'seconds', identity: 'sandbox' }),
  }),
};
const INTERFACE_METRICS = { received: interfaceItem('recv_bytes'), sent: interfaceItem('sent_bytes') };

/** Stands where the collectors of sandboxes stand: numbers that the test gives, by sandbox. */
export class ToldSandboxes implements Collector {
  static readonly about: CollectorAbout = { name: 'told_sandboxes', tier: 'sweep', reads: 'nothing', enabled: true, closing: true };
  readonly about = ToldSandboxes.about;
  readonly metrics = [];
  readonly sandboxMetrics = Object.values(METRICS);
  readonly sandboxInterfaceMetrics = Object.values(INTERFACE_METRICS);
  /** Cells by instance; a missing instance is absent, a missing word an empty cell. */
  readonly numbers = new Map<string, Partial<Record<keyof typeof METRICS, number>>>();
  /** `recv_bytes` and `sent_bytes` of interfaces, by instance. */
  readonly interfaces = new Map<string, Readonly<Record<string, readonly [received: number, sent: number]>>>();
  private readonly columns;
  private readonly cells;
  private readonly rows = new Map<Subject, Map<string, number>>();

  constructor(private readonly tables: Tables) {
    this.columns = tables.sandboxes.columnsOf(METRICS);
    this.cells = tables.sandboxInterfaces.columnsOf(INTERFACE_METRICS);
  }

  concerns({ sandboxRow }: Subject): boolean {
    return sandboxRow >= 0;
  }

  attach(subject: Subject): void {
    this.devices(subject);
  }

  devices(subject: Subject): void {
    if (subject.sandboxRow < 0 || this.rows.has(subject)) return;
    const names = Object.keys(this.interfaces.get(subject.id) ?? {});
    const rows = names.map((name, place) => [name, this.tables.sandboxInterfaces.add({ parent: subject, place, name })] as const);
    this.rows.set(subject, new Map(rows));
  }

  detach(subject: Subject): void {
    for (const row of this.rows.get(subject)?.values() ?? []) this.tables.sandboxInterfaces.remove(row);
    this.rows.delete(subject);
  }

  collect(subject: Subject): Outcome {
    for (const [name, row] of this.rows.get(subject) ?? []) {
      const [received, sent] = this.interfaces.get(subject.id)?.[name] ?? [Number.NaN, Number.NaN];
      this.cells.received.back[row] = received;
      this.cells.sent.back[row] = sent;
    }
    const told = this.numbers.get(subject.id);
    if (!told) return Outcome.gone;
    for (const word of ['threads', 'cpu', 'rss', 'switches', 'openFds', 'native', 'processCpu'] as const)
      this.columns[word].back[subject.sandboxRow] = told[word] ?? Number.NaN;
    return Outcome.ok;
  }
}

/** A sandbox whose VMM has this pid. */
export const sandboxRecord = (id: string, pid: number, change: Partial<InstanceRecord> = {}): InstanceRecord => ({
  id,
  process: { pid },
  hypervisor: 'qemu',
  sandbox: { runtime: 'go', vmmInShim: false, pod: { uid: `uid-${id}`, name: `pod-${id}`, namespace: 'shop' }, agentUrl: 'vsock://3:1024' },
  ...change,
});

/** Shims that answered what the test says. */
export class ToldShims extends PassThrough {
  told: readonly PassedFamily[] = [];
  readonly toldOwn = new Map<string, readonly PassedFamily[]>();

  families(): readonly PassedFamily[] {
    return this.told;
  }

  own(instanceId: string): readonly PassedFamily[] {
    return this.toldOwn.get(instanceId) ?? [];
  }

  last({ id }: Subject): LastWords | null {
    const linesOf = (family: string): Buffer | undefined =>
      this.told.find(({ name }) => name === family)?.bodies.find(({ owner }) => owner === id)?.lines;
    return this.told.some(({ bodies }) => bodies.some(({ owner }) => owner === id)) ? { outcome: Outcome.ok, isKept: true, linesOf } : null;
  }
}

/** @param bodies lines by instance */
export const passed = (name: string, type: PassedFamily['type'], bodies: Readonly<Record<string, string>>): PassedFamily => ({
  name,
  type,
  help: `Help of ${name}.`,
  bodies: Object.entries(bodies).map(([owner, lines]) => ({ owner, lines: Buffer.from(lines), series: lines.split('\n').length - 1 })),
});
