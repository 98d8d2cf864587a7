import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { Host } from '../../src/host/host.js';
import { type Collector, declaredMetrics } from '../../src/model/collector.js';
import { COMPANION_ROLES } from '../../src/model/instance.js';
import { OUTCOMES, Outcome } from '../../src/model/outcome.js';
import { PARTS } from '../../src/model/parts.js';
import { Settings } from '../../src/model/settings.js';
import type { Table } from '../../src/model/table.js';
import { Tables } from '../../src/model/tables.js';
import { COLLECTORS, type ListedCollector } from '../../src/modules/collection/collectors.js';
import { Sampler } from '../../src/modules/collection/sampler.js';
import type { Measure } from '../../src/modules/events/measure.js';
import { TracedProcesses } from '../../src/modules/events/traced-processes.js';
import type { VmmAnswer } from '../../src/modules/vmm/answer.js';
import { FakeProc } from '../fake-proc.js';
import { CGROUP, errno, FakeProcess } from '../fake-process.js';
import { kernelSample } from '../kernel-samples.js';
import { FakeSubject } from '../subject.js';
import { anInterface, anOwnPort, aReading } from '../switch-port.js';
import { FULL_ANSWER } from '../vmm-answer.js';

const proc = new FakeProc();
// Of the host's network namespace, which is not the sandbox's.
proc.write('1/net/dev', kernelSample('qemu-7.2-kvm/net-dev').replace(/^ *exptap0.*\n/m, ''));
proc.write('1/net/stat/nf_conntrack', kernelSample('linux-6.18-conntrack/stat'));
proc.write('sys/fs/cgroup/cgroup.controllers', 'cpu\n');
proc.write(`sys/fs/cgroup${CGROUP}/io.stat`, kernelSample('cgroup-v2-6.1/scope/io.stat'));
proc.write(`sys/fs/cgroup${CGROUP}/io.max`, kernelSample('cgroup-v2-6.1/scope/io.max'));
proc.write(`sys/fs/cgroup${CGROUP}/cpu.stat`, kernelSample('cgroup-v2-6.1/scope/cpu.stat'));
proc.write(`sys/fs/cgroup${CGROUP}/cgroup.procs`, '4242\n');
for (const name of ['cpu', 'memory', 'io', 'irq'])
  proc.write(`sys/fs/cgroup${CGROUP}/${name}.pressure`, kernelSample(`linux-6.18-pressure/cgroup/${name}.pressure`));
proc.write('sys/kernel/task_delayacct', '1\n');
for (const name of ['cpu.max', 'cpu.weight', 'memory.max', 'memory.current', 'memory.events', 'memory.stat', 'pids.max', 'pids.current'])
  proc.write(`sys/fs/cgroup${CGROUP}/${name}`, kernelSample(`cgroup-v2-6.1/scope/${name}`));
afterAll(() => proc.close());

/** They say what a VMM answered: here everything there is to tell. */
const ANSWERED = [
  ...['vmm_state', 'vmm_memory', 'guest_memory', 'balloon', 'disks', 'vnics', 'exits', 'kvm', 'migration', 'vmm_events', 'degraded'],
] as const;
/** Collectors that read no file of the process: what they have to say of a broken one. */
const READS_NO_PROCESS_FILE: Readonly<Record<string, string>> = {
  allocation: 'says what the sources say',
  vhost: 'reads kernel threads; its own spec breaks those',
  shim_socket: 'asks a socket, and only one that was allowed; its own specs break that',
  vmm: 'asks a socket, off the sweep; its own specs break that',
  shim_rpc: 'reads what the socket answered; its own spec says what',
  switch_ports: 'reads what switches told the host; its own spec breaks that',
  interfaces: 'reads sysfs of the interfaces that network found; its own spec breaks that',
  latency: 'reads what was counted in the kernel or of sockets; its own spec breaks that',
  resources: 'does sums with what cgroup and cgroup_io read; its own spec breaks those',
  contention: 'does a sum with what wait and throttling read; its own spec breaks those',
  ...Object.fromEntries(ANSWERED.map((name) => [name, 'reads what the VMM answered; its own spec breaks that'])),
};
/** Has nothing to read of the instance here. */
const NOT_CONFIGURED = new Set(['vhost', 'interfaces', 'shim_socket', 'shim_rpc', 'vmm', 'contention', 'resources']);
/** Reads the size of a directory, which can be refused but not garbled. */
const READS_NO_CONTENT = new Set(['descriptors']);
/** Looks for the file in several places, and says only that it found none where none of them could be opened. */
const SEES_A_REFUSED_FILE_AS_GONE = new Set(['network']);
/** Tells growth, which takes two readings. */
const NEEDS_TWO_TURNS = new Set(['pod_overhead_cpu']);
const BETWEEN_TURNS_MS = 30_000;

/** Of a guest whose report never grows old. */
const ANSWER: VmmAnswer = { ...FULL_ANSWER, guest: { ...FULL_ANSWER.guest, sampledMs: Number.MAX_SAFE_INTEGER } };
const TAP = anInterface('exptap0');
/** At a switch whose answer never grows old. */
const PORTS = [anOwnPort(TAP, { outcome: Outcome.ok, reading: aReading([TAP], { at: Number.MAX_SAFE_INTEGER }) })];
/** Of sockets and files of a process, where nothing is traced. */
const PLAIN_MEASURE: Measure = { timings: new Map(), amounts: new Map([['send_bytes', 5]]) };
const noop = (): void => undefined;
const isAnswered = ({ about: { name } }: ListedCollector): boolean => ANSWERED.some((one) => one === name);

class Trial {
  readonly tables = new Tables();
  readonly collectors: readonly Collector[];
  readonly collector: Collector;
  readonly sampler: Sampler;
  readonly process = new FakeProcess();
  /** A Kata sandbox's: VMM, shim and virtiofsd, of the same files. */
  readonly processes = [this.process, new FakeProcess(this.process.files), new FakeProcess(this.process.files)] as const;
  readonly subject: FakeSubject;
  readonly defects: unknown[] = [];
  /** What its VMM said. */
  answer: VmmAnswer | null = null;

  constructor(Listed: ListedCollector, host: Host = proc.host(), process: FakeProcess | null = null) {
    const asker = { answer: () => this.answer, known: () => this.contact() };
    const observer = { owners: { attach: noop, detach: noop, of: () => (this.answer ? PORTS : []) }, update: () => [], droppedOf: noop };
    const plain = { measureOf: () => (this.answer ? PLAIN_MEASURE : null) };
    const traced = new TracedProcesses(host, new Settings(), () => Outcome.notConfigured, plain);
    const thirds: Readonly<Record<string, object>> = { switch_ports: observer, latency: traced };
    const third = (Other: ListedCollector): object[] => (isAnswered(Other) ? [asker] : [thirds[Other.about.name] ?? []].flat());
    this.collectors = COLLECTORS.map((Other) => Reflect.construct(Other, [this.tables, host, ...third(Other)]));
    this.collector = this.collectors[COLLECTORS.indexOf(Listed)];
    const { name } = Listed.about;
    const report = (_: string, error: unknown) => this.defects.push(error);
    this.sampler = new Sampler(
      this.tables,
      this.collectors,
      (other) => other === name,
      () => ({ slow: 0, threads: 0 }),
      host.clock,
      report,
    );
    const companions = COMPANION_ROLES.map((role) => ({ role, pid: this.process.pid, startTicks: this.process.startTicks }));
    const record = { id: 'vm-1', vcpus: 2, memoryBytes: 96 * 2 ** 20, sandbox: { vmmInShim: false }, companions };
    this.subject = new FakeSubject(process, 'vm-1', 'one', record);
    this.subject.nics = [{ kind: 'tap', name: 'exptap0' }];
  }

  private contact() {
    const { answer, subject } = this;
    return answer ? { answer, outcome: Outcome.ok, inRow: 0, process: subject.process, dialogue: null } : undefined;
  }

  static running(Listed: ListedCollector): Trial {
    const trial = new Trial(Listed);
    const [vmm, shim, virtiofsd] = trial.processes;
    trial.subject.process = vmm;
    trial.subject.companions.set('shim', shim).set('virtiofsd', virtiofsd);
    return trial;
  }

  /** An instance that the collector concerns: a sandbox, where it is about sandboxes, and one whose VMM answers. */
  attach(): void {
    this.answer = ANSWER;
    this.tables.begin();
    this.subject.row = this.tables.instances.add(this.subject);
    if (this.collector.concerns) this.subject.sandboxRow = this.tables.sandboxes.add({ parent: this.subject });
    this.sampler.attach(this.subject);
    this.tables.publish();
    if (NEEDS_TWO_TURNS.has(this.collector.about.name)) this.sampler.sample(this.subject, 1e12);
  }

  breakAll(error: Error): void {
    for (const process of this.processes) process.breakAll(error);
  }

  /** One sweep, and before it the turn of a detached collector. @returns the outcome that readers see */
  async sweep({ devices = false } = {}): Promise<number> {
    const state = this.sampler.states.find(({ collector }) => collector === this.collector) ?? expect.fail('not in the list');
    if (this.collector.collectDetached) {
      this.sampler.detachedResult(state, this.subject.row, await this.sampler.collectDetached(state, this.subject));
    }
    proc.clock.ms += BETWEEN_TURNS_MS;
    this.tables.begin();
    if (devices) this.sampler.devices(this.subject);
    this.subject.process?.readStat();
    for (const _ of this.sampler.shared());
    this.sampler.sample(this.subject, 1e12);
    this.tables.publish();
    expect(this.defects).toEqual([]);
    return state.outcome.front[this.subject.row];
  }

  /** Names of the columns that hold a number in a row that readers see. */
  filled(): string[] {
    const { instances, interfaces, sandboxes, sandboxInterfaces } = this.tables;
    const words = <Key>({ columns, order }: Table<Key>): string[] =>
      columns.filter(({ front }) => order.rows.some((row) => !Number.isNaN(front[row]))).map(({ metric }) => metric.json);
    const own = words(instances).filter((json) => !json.startsWith('collectors.'));
    return [
      ...own,
      ...words(interfaces),
      ...words(sandboxes),
      ...words(sandboxInterfaces),
      ...PARTS.flatMap((part) => words(this.tables[part])),
    ];
  }

  declared(): string[] {
    return declaredMetrics(this.collector).map(({ json }) => json);
  }

  /** Every cell that readers see, but for what the house says of its collectors. */
  values(): number[] {
    const of = <Key>({ columns, order }: Table<Key>): number[] =>
      columns
        .filter(({ metric }) => !metric.json.startsWith('collectors.'))
        .flatMap(({ front }) => [...order.rows].map((row) => front[row]));
    const { instances, interfaces, sandboxes, sandboxInterfaces } = this.tables;
    return [
      ...of(instances),
      ...of(interfaces),
      ...of(sandboxes),
      ...of(sandboxInterfaces),
      ...PARTS.flatMap((part) => of(this.tables[part])),
    ];
  }
}

describe.each(COLLECTORS.map((Listed) => [Listed.about.name, Listed] as const))('collector %s', (name, Listed) => {
  let trial: Trial;
  beforeEach(() => {
    trial = Trial.running(Listed);
    trial.attach();
  });

  it('says what it is', () => {
    const { about } = Listed;
    expect(about.name).toMatch(/^[a-z][a-z_]*$/);
    expect(trial.collector.about).toBe(about);
    expect(about.reads.length).toBeGreaterThan(10);
    expect(trial.declared().length).toBeGreaterThan(0);
    if (about.tier === 'detached') expect(trial.collector.collectDetached).toBeDefined();
    // Off the sweep a collector of another tier only prepares what its own turn reads; in every sweep it would be late.
    if (about.tier === 'sweep') expect(trial.collector.collectDetached).toBeUndefined();
    if (about.closing) expect(about.tier).toBe('sweep');
  });

  it('fills only cells that it declares', async () => {
    const outcome = await trial.sweep();
    expect(outcome).toBe(NOT_CONFIGURED.has(name) ? Outcome.notConfigured : Outcome.ok);
    expect(trial.declared()).toEqual(expect.arrayContaining(trial.filled()));
    if (outcome === Outcome.ok) expect(trial.filled().length).toBeGreaterThan(0);
  });

  it('fills the same cells again for a process that stands still', async () => {
    await trial.sweep();
    const first = trial.values();
    await trial.sweep();
    expect(trial.values()).toEqual(first);
  });

  it('is gone where there is no process', async () => {
    const bare = new Trial(Listed);
    bare.attach();
    const outcome = await bare.sweep();
    if (name === 'allocation') return expect(outcome).toBe(Outcome.ok);
    expect(outcome).toBe(Outcome.gone);
    expect(bare.filled().filter((json) => json !== 'outcome')).toEqual([]);
  });

  it('throws nothing on an empty host, over an instance that nobody knows anything of', async () => {
    const empty = new FakeProc();
    const process = new FakeProcess(new Map());
    process.breakAll(errno('ENOENT'));
    const lone = new Trial(Listed, empty.host(), process);
    lone.subject.nics = null;
    lone.subject.record = { id: 'vm-1' };
    lone.subject.vhostThreads = [4_000_000];
    lone.attach();
    lone.answer = null;
    const outcome = await lone.sweep();
    if (lone.collector.concerns?.(lone.subject) !== false) expect(OUTCOMES).toContain(outcome);
    expect(lone.filled()).toEqual([]);
    lone.sampler.devices(lone.subject);
    lone.sampler.detach(lone.subject);
    expect(lone.defects).toEqual([]);
    empty.close();
  });

  const broken = [
    ['garbage', 'x 1 2\n', Outcome.malformed],
    ['empty files', '', Outcome.malformed],
    ['sentinels that are no line', '18446744073709551615', Outcome.malformed],
    ['EACCES', errno('EACCES'), Outcome.notPermitted],
    ['EPERM', errno('EPERM'), Outcome.notPermitted],
    ['ESRCH', errno('ESRCH'), Outcome.gone],
    ['ENOENT', errno('ENOENT'), Outcome.gone],
    ['EMFILE', errno('EMFILE'), Outcome.busy],
    ['EIO', errno('EIO'), Outcome.ioError],
  ] as const;
  const possible = broken.filter(([, content]) => content instanceof Error || !READS_NO_CONTENT.has(name));
  it.each(name in READS_NO_PROCESS_FILE ? [] : possible)(
    'leaves no number behind when the kernel gives %s, and comes back',
    async (_, content, expected) => {
      const { process } = trial;
      const good = new Map(process.files);
      await trial.sweep();
      expect(trial.filled().length).toBeGreaterThan(0);
      if (content instanceof Error) trial.breakAll(content);
      else for (const path of process.files.keys()) process.files.set(path, content);
      expect(await trial.sweep({ devices: true })).toBe(
        content instanceof Error && SEES_A_REFUSED_FILE_AS_GONE.has(name) ? Outcome.gone : expected,
      );
      expect(trial.filled().filter((json) => json !== 'outcome')).toEqual([]);
      process.files.delete('task');
      for (const [path, text] of good) process.files.set(path, text);
      for (const one of trial.processes) one.descriptors = 27;
      expect(await trial.sweep({ devices: true })).toBe(Outcome.ok);
    },
  );

  it('leaves an instance alone that it does not concern', async () => {
    if (!trial.collector.concerns) return;
    const other = Trial.running(Listed);
    other.tables.begin();
    other.subject.row = other.tables.instances.add(other.subject);
    other.sampler.attach(other.subject);
    expect(other.collector.concerns?.(other.subject)).toBe(false);
    expect(await other.sweep({ devices: true })).toBeNaN();
    expect(other.filled()).toEqual([]);
    other.sampler.detach(other.subject);
    expect(other.defects).toEqual([]);
  });

  it('lets go of a row: the next instance in it starts empty', async () => {
    await trial.sweep();
    const { tables } = trial;
    const { row, sandboxRow } = trial.subject;
    tables.begin();
    trial.sampler.detach(trial.subject);
    tables.sandboxes.remove(sandboxRow);
    tables.instances.remove(row);
    tables.publish();
    expect(
      [tables.interfaces.size, tables.sandboxInterfaces.size, ...PARTS.map((part) => tables[part].size)].filter((size) => size > 0),
    ).toEqual([]);
    const next = new Trial(Listed);
    next.subject.row = row;
    tables.begin();
    expect(tables.instances.add(next.subject)).toBe(row);
    if (trial.collector.concerns) next.subject.sandboxRow = tables.sandboxes.add({ parent: next.subject });
    expect(next.subject.sandboxRow).toBe(sandboxRow);
    trial.sampler.attach(next.subject);
    tables.publish();
    expect(trial.filled()).toEqual([]);
    if (name !== 'allocation') expect(trial.collector.collect(next.subject)).toBe(Outcome.gone);
  });
});
