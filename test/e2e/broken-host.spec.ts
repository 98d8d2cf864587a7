import { beforeAll, describe, expect, it, vi } from 'vitest';
import { type Collector, declaredMetrics } from '../../src/model/collector.js';
import { COLLECTORS, type ListedCollector } from '../../src/modules/collection/collectors.js';
import type { Agent } from './agent.js';
import { type Fault, systemError } from './faults.js';
import { differences, LIMITED, type Observation, observe, SANDBOX, samplesOf, type Victim, VM } from './observation.js';
import { SHOP } from './sandboxes.js';

/** Which file a collector reads of its victim, and who reads the same one. */
interface Broken {
  readonly victim: Victim;
  /** Those without a file are broken from within only. */
  readonly path?: RegExp;
  readonly with?: readonly string[];
  /** Those that look whether it can be opened, and read nothing of it. */
  readonly openedBy?: readonly string[];
  /** Those that are made of what it reads. */
  readonly feeds?: readonly string[];
  /** Those that are made of what it reads and of more: they say less, and do not fail. */
  readonly narrows?: readonly string[];
  /** A file that the kernel leaves empty where it has nothing to tell. */
  readonly mayBeEmpty?: true;
  readonly isDirectory?: true;
  /** Nobody is asked here; what comes of asking has tests of its own. */
  readonly isSilent?: true;
  /** Families about its rows that no column declares. */
  readonly besides?: readonly string[];
}
const ofVm = (path: string, more: Partial<Broken> = {}): Broken => ({ victim: VM, path: new RegExp(`^proc/${path}$`), ...more });
const ofCgroup = (file: string, more: Partial<Broken> = {}): Broken => ({
  victim: LIMITED,
  path: new RegExp(`^sys/fs/cgroup/machine\\.slice/vm-1\\.scope/${file}$`),
  ...more,
});
const ofSandbox = (path: string, ...others: readonly string[]): Broken => ({
  victim: SANDBOX,
  path: new RegExp(`^proc/${path}$`),
  with: others,
});
const FILES: Readonly<Record<string, Broken>> = {
  allocation: { victim: VM },
  cpu: ofVm(`${VM.pid}/stat`, { with: ['process'] }),
  vhost: ofVm(`${VM.vhost}/stat`),
  memory: ofVm(`${VM.pid}/statm`),
  memory_detail: ofVm(`${VM.pid}/status`),
  pss: ofVm(`${VM.pid}/smaps_rollup`),
  memory_breakdown: ofVm(`${VM.pid}/smaps`),
  process: ofVm(`${VM.pid}/stat`, { with: ['cpu'] }),
  descriptors: ofVm(`${VM.pid}/fd`, { isDirectory: true }),
  limits: ofVm(`${VM.pid}/limits`),
  context_switches: ofVm(`${VM.pid}/task/\\d+/status`),
  io: ofVm(`${VM.pid}/io`),
  wait: ofVm(`${VM.pid}/task/\\d+/schedstat`, { feeds: ['contention'] }),
  // Its cgroup is that of all three; where it stands is its own, and looked up once a minute.
  throttling: ofVm(`${VM.pid}/cgroup`, { with: ['cgroup', 'cgroup_io', 'resources', 'pressure'], feeds: ['contention'] }),
  cgroup: ofCgroup('memory.max', { narrows: ['resources'] }),
  cgroup_io: ofCgroup('io.stat', { narrows: ['resources'], mayBeEmpty: true }),
  resources: { victim: LIMITED },
  pressure: ofCgroup('cpu.pressure'),
  block_io_delay: { victim: LIMITED, path: new RegExp(`^proc/${LIMITED.pid}/task/\\d+/stat$`), with: ['vcpus'] },
  // What was counted in the kernel is in no file.
  latency: { victim: VM },
  contention: { victim: VM },
  network: ofVm(`${VM.pid}/net/dev`),
  // What a switch said is in no file.
  switch_ports: { victim: VM, besides: ['vmgauge_vm_switch_port_info'] },
  instance_conntrack: ofVm(`${VM.pid}/net/stat/nf_conntrack`),
  // No recorded process is in init's network namespace, which alone sysfs shows.
  interfaces: { victim: VM, isSilent: true },
  shim: ofSandbox(`${SHOP.shim}/stat`, 'pod_overhead_cpu'),
  shim_io: ofSandbox(`${SHOP.shim}/io`),
  shim_status: ofSandbox(`${SHOP.shim}/limits`),
  kata_vmm: ofSandbox(`${SHOP.vmm}/stat`, 'cpu', 'process'),
  kata_vmm_io: ofSandbox(`${SHOP.vmm}/io`, 'io'),
  kata_vmm_status: ofSandbox(`${SHOP.vmm}/status`, 'memory_detail', 'pod_overhead_memory'),
  virtiofsd: ofSandbox(`${SHOP.virtiofsd}/stat`, 'pod_overhead_cpu', 'pod_overhead_memory'),
  virtiofsd_io: ofSandbox(`${SHOP.virtiofsd}/io`),
  virtiofsd_status: ofSandbox(`${SHOP.virtiofsd}/status`, 'pod_overhead_memory'),
  // What has a net/dev and no conntrack has a kernel without it.
  sandbox_network: { ...ofSandbox(`${SHOP.vmm}/net/dev`, 'network'), openedBy: ['instance_conntrack'] },
  pod_overhead_cpu: ofSandbox(`${SHOP.vmm}/task/\\d+/stat`, 'vcpus'),
  // maps is believed for a while.
  pod_overhead_memory: ofSandbox(`${SHOP.shim}/status`, 'shim_status'),
  shim_socket: { victim: SANDBOX, isSilent: true },
  shim_rpc: { victim: SANDBOX, isSilent: true },
  vmm: { victim: VM },
  // What a VMM said is in no file.
  vmm_state: { victim: VM, besides: ['vmgauge_vm_vmm_info'] },
  vmm_memory: { victim: VM },
  guest_memory: { victim: VM },
  balloon: { victim: VM },
  disks: { victim: VM, besides: ['vmgauge_vm_disk_info'] },
  vnics: { victim: VM },
  exits: { victim: VM },
  kvm: { victim: VM },
  migration: { victim: VM },
  vmm_events: { victim: VM },
  degraded: { victim: VM },
  vcpus: ofSandbox(`${SHOP.vmm}/task/\\d+/stat`, 'pod_overhead_cpu'),
};

interface Words {
  readonly outcome: string;
  readonly reason: string;
}
const DAMAGES: readonly { readonly what: string; readonly fault: Fault; readonly words: Words }[] = [
  { what: 'may not be read', fault: { error: systemError('EACCES') }, words: { outcome: 'absent', reason: 'not_permitted' } },
  { what: 'holds garbage', fault: { content: 'Zm9v 0 0 (\n: 12 x\u0000\n' }, words: { outcome: 'failed', reason: 'malformed' } },
  { what: 'is cut short', fault: { content: '12' }, words: { outcome: 'failed', reason: 'malformed' } },
  { what: 'is empty', fault: { content: '' }, words: { outcome: 'failed', reason: 'malformed' } },
  { what: 'cannot be read', fault: { error: systemError('EIO') }, words: { outcome: 'failed', reason: 'io_error' } },
  { what: 'throws what nobody foresaw', fault: { error: new TypeError('a defect') }, words: { outcome: 'failed', reason: 'io_error' } },
];

const keyOf = (victim: Victim, pss: boolean): string => `${victim.story} ${pss}`;
const healthy = new Map<string, Observation>();
beforeAll(async () => {
  for (const pss of [false, true]) healthy.set(keyOf(VM, pss), await observe(VM, { pss }));
  for (const victim of [SANDBOX, LIMITED]) healthy.set(keyOf(victim, false), await observe(victim, { pss: false }));
});
function baseline(victim: Victim, pss: boolean): Observation {
  const one = healthy.get(keyOf(victim, pss));
  if (!one) throw new Error('no healthy host was observed');
  return one;
}

/** Whether a line of the page may differ when these collectors are broken for the victim. */
function concerns(
  { id }: Victim,
  { name, labels }: { name: string; labels: ReadonlyMap<string, string> },
  broken: readonly string[],
  own: ReadonlySet<string>,
) {
  const collector = labels.get('collector');
  if (collector !== undefined) {
    const aboutVictim = labels.get('instance_id') === id && /^vmgauge_collector_(success|outcome)$/.test(name);
    // Where the victim alone had something to read, nobody succeeds any more.
    const aboutAll = /^vmgauge_collector_(defects_total|last_success_timestamp_seconds)$/.test(name);
    return broken.includes(collector) && (aboutVictim || aboutAll);
  }
  return own.has(name) && (labels.get('instance_id') === id || labels.get('sandbox_id') === id);
}

function expectOnlyItself(
  victim: Victim,
  collectors: readonly ListedCollector[],
  before: Observation,
  after: Observation,
  words: Words,
): void {
  const broken = collectors.map(({ about }) => about.name);
  for (const [id, text] of before.stats) if (id !== victim.id) expect(after.stats.get(id)).toBe(text);
  for (const [id, text] of before.pages) if (id !== victim.id) expect(after.pages.get(id)).toBe(text);
  const narrowed = broken.flatMap((name) => FILES[name].narrows ?? []).map(listed);
  const own = familiesOf([...collectors, ...narrowed]);
  const was = samplesOf(before);
  const is = samplesOf(after);
  for (const [line, sample] of was) if (!is.has(line)) expect([line, concerns(victim, sample, broken, own)]).toEqual([line, true]);
  for (const [line, sample] of is) {
    if (was.has(line)) continue;
    // Nothing that was measured takes another value: it is no longer there.
    expect([line, concerns(victim, sample, broken, own) && sample.labels.has('collector')]).toEqual([line, true]);
  }
  for (const name of broken) {
    const labels = `instance_id="${victim.id}"`;
    expect(is.has(`vmgauge_collector_success{collector="${name}",${labels}} 0`)).toBe(true);
    const why = `collector="${name}",outcome="${words.outcome}",reason="${words.reason}"`;
    expect([...is.keys()]).toContain(`vmgauge_collector_outcome{${labels},${why}} 1`);
  }
  expectNulls(broken, JSON.parse(before.stats.get(victim.id) ?? ''), JSON.parse(after.stats.get(victim.id) ?? ''), words);
}

function expectNulls(broken: readonly string[], before: { collectors: object }, after: { collectors: object }, words: Words): void {
  for (const name of broken) expect(Reflect.get(after.collectors, name)).toMatchObject(words);
  const changed = differences(before, after);
  for (const [path, value] of changed) {
    const [group, collector] = path.split('.');
    if (group === 'collectors') expect(broken).toContain(collector);
    // An interface says for itself why it has no counters.
    else if (/^network\.interfaces\.\d+\.outcome$/.test(path)) expect(value).toBe(words.outcome);
    else if (/^network\.interfaces\.\d+\.reason$/.test(path)) expect(value).toBe(words.reason);
    // A table that cannot be read has no lines.
    else if (/^shim\.interfaces\.\d+$/.test(path)) expect(value).toBeUndefined();
    else expect([path, value]).toEqual([path, null]);
  }
  const lost = [...changed].filter(([path, value]) => value === null || path.startsWith('shim.interfaces'));
  expect(lost.length > 0).toBe(broken.some((name) => !FILES[name].isSilent));
}

function familiesOf(collectors: readonly ListedCollector[]): ReadonlySet<string> {
  return new Set(collectors.flatMap(({ about }) => FAMILIES.get(about.name) ?? []));
}
const FAMILIES = new Map<string, readonly string[]>();

const listed = (name: string): ListedCollector => {
  const found = COLLECTORS.find(({ about }) => about.name === name);
  if (!found) throw new Error(`no collector is called ${name}`);
  return found;
};

it('breaks every collector there is', () => {
  expect(Object.keys(FILES).sort()).toEqual(COLLECTORS.map(({ about }) => about.name).sort());
});

describe.each(COLLECTORS.map((collector) => [collector.about.name, collector] as const))('the collector %s', (name, collector) => {
  const file = FILES[name] ?? { victim: VM };
  const { victim } = file;
  const pss = collector.about.tier === 'detached';
  const note = (agent: Agent): void => {
    for (const one of COLLECTORS) {
      const families = declaredMetrics(agent.app.get<Collector>(one)).flatMap(({ families: own }) => own.map(({ family }) => family.name));
      FAMILIES.set(one.about.name, [...families, ...(FILES[one.about.name]?.besides ?? [])]);
    }
  };

  it('gives something for the victim while all is well', () => {
    expect(JSON.parse(baseline(victim, pss).stats.get(victim.id) ?? '').collectors[name]).toMatchObject({
      outcome: file.isSilent ? 'absent' : 'ok',
    });
  });

  it.each(
    DAMAGES.filter(({ fault }) => file.path && !('content' in fault && (file.isDirectory || (file.mayBeEmpty && fault.content === '')))),
  )('costs only itself where its file $what', async ({ fault, words }) => {
    const after = await observe(victim, { pss }, (agent) => {
      note(agent);
      if (file.path) agent.host.faults.break(file.path, fault);
    });
    expectOnlyItself(
      victim,
      [collector, ...[...(file.with ?? []), ...(file.feeds ?? []), ...('error' in fault ? (file.openedBy ?? []) : [])].map(listed)],
      baseline(victim, pss),
      after,
      words,
    );
  });

  it('costs only itself where it has a defect, which is counted', async () => {
    const after = await observe(victim, { pss }, (agent) => {
      note(agent);
      const broken: Collector = agent.app.get(collector);
      for (const method of ['collect', 'collectDetached'] as const) {
        const works = broken[method]?.bind(broken);
        if (!works) continue;
        vi.spyOn(broken, method).mockImplementation((subject) => {
          if (subject.id === victim.id) throw new TypeError('a defect');
          // The spy is of one of two methods, each with its own result.
          return works(subject) as never;
        });
      }
    });
    expectOnlyItself(victim, [collector, ...(file.feeds ?? []).map(listed)], baseline(victim, pss), after, {
      outcome: 'failed',
      reason: 'io_error',
    });
    const defects = [...samplesOf(after).values()].find((sample) =>
      sample.line.startsWith(`vmgauge_collector_defects_total{collector="${name}"}`),
    );
    expect(defects?.value).toBeGreaterThan(0);
  });
});
