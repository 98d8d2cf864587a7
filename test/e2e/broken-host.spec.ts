import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Collector } from '../../src/model/collector.js';
import { COLLECTORS, type ListedCollector } from '../../src/modules/collection/collectors.js';
import type { Agent } from './agent.js';
import { type Fault, systemError } from './faults.js';
import { differences, type Observation, observe, samplesOf, VICTIM } from './observation.js';

/** Which file a collector reads of the victim, and who reads the same one. Those without a file are broken from within only. */
const FILES: Readonly<Record<string, { readonly path: RegExp; readonly with?: readonly string[]; readonly isDirectory?: true } | null>> = {
  allocation: null,
  cpu: { path: new RegExp(`^proc/${VICTIM.pid}/stat$`), with: ['process'] },
  vhost: { path: new RegExp(`^proc/${VICTIM.vhost}/stat$`) },
  memory: { path: new RegExp(`^proc/${VICTIM.pid}/statm$`) },
  memory_detail: { path: new RegExp(`^proc/${VICTIM.pid}/status$`) },
  pss: { path: new RegExp(`^proc/${VICTIM.pid}/smaps_rollup$`) },
  process: { path: new RegExp(`^proc/${VICTIM.pid}/stat$`), with: ['cpu'] },
  descriptors: { path: new RegExp(`^proc/${VICTIM.pid}/fd$`), isDirectory: true },
  limits: { path: new RegExp(`^proc/${VICTIM.pid}/limits$`) },
  context_switches: { path: new RegExp(`^proc/${VICTIM.pid}/task/\\d+/status$`) },
  io: { path: new RegExp(`^proc/${VICTIM.pid}/io$`) },
  wait: { path: new RegExp(`^proc/${VICTIM.pid}/task/\\d+/schedstat$`) },
  network: { path: new RegExp(`^proc/${VICTIM.pid}/net/dev$`) },
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

const healthy = new Map<boolean, Observation>();
beforeAll(async () => {
  for (const pss of [false, true]) healthy.set(pss, await observe({ pss }));
});
function baseline(pss: boolean): Observation {
  const one = healthy.get(pss);
  if (!one) throw new Error('no healthy host was observed');
  return one;
}

/** Whether a line of the page may differ when these collectors are broken for the victim. */
function concerns(
  { name, labels }: { name: string; labels: ReadonlyMap<string, string> },
  broken: readonly string[],
  own: ReadonlySet<string>,
) {
  const collector = labels.get('collector');
  if (collector !== undefined) {
    const aboutVictim = labels.get('instance_id') === VICTIM.id && /^vmgauge_collector_(success|outcome)$/.test(name);
    // Where the victim alone had something to read, nobody succeeds any more.
    const aboutAll = /^vmgauge_collector_(defects_total|last_success_timestamp_seconds)$/.test(name);
    return broken.includes(collector) && (aboutVictim || aboutAll);
  }
  return own.has(name) && labels.get('instance_id') === VICTIM.id;
}

function expectOnlyItself(collectors: readonly ListedCollector[], before: Observation, after: Observation, words: Words): void {
  const broken = collectors.map(({ about }) => about.name);
  for (const [name, text] of before.stats) if (name !== VICTIM.name) expect(after.stats.get(name)).toBe(text);
  for (const [name, text] of before.pages) if (name !== VICTIM.name) expect(after.pages.get(name)).toBe(text);
  const own = new Set([...before.families.keys()].filter((family) => familiesOf(collectors).has(family)));
  const was = samplesOf(before);
  const is = samplesOf(after);
  for (const [line, sample] of was) if (!is.has(line)) expect([line, concerns(sample, broken, own)]).toEqual([line, true]);
  for (const [line, sample] of is) {
    if (was.has(line)) continue;
    // Nothing that was measured takes another value: it is no longer there.
    expect([line, concerns(sample, broken, own) && sample.labels.has('collector')]).toEqual([line, true]);
  }
  for (const name of broken) {
    const labels = `instance_id="${VICTIM.id}"`;
    expect(is.has(`vmgauge_collector_success{collector="${name}",${labels}} 0`)).toBe(true);
    const why = `collector="${name}",outcome="${words.outcome}",reason="${words.reason}"`;
    expect([...is.keys()]).toContain(`vmgauge_collector_outcome{${labels},${why}} 1`);
  }
  expectNulls(broken, JSON.parse(before.stats.get(VICTIM.name) ?? ''), JSON.parse(after.stats.get(VICTIM.name) ?? ''), words);
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
    else expect([path, value]).toEqual([path, null]);
  }
  expect([...changed].filter(([, value]) => value === null).length).toBeGreaterThan(0);
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
  const file = FILES[name];
  const pss = name === 'pss';
  const note = (agent: Agent): void => {
    for (const one of COLLECTORS) {
      const { metrics, interfaceMetrics = [] }: Collector = agent.app.get(one);
      FAMILIES.set(
        one.about.name,
        [...metrics, ...interfaceMetrics].flatMap(({ families }) => families.map(({ family }) => family.name)),
      );
    }
  };

  it('gives something for the victim while all is well', () => {
    expect(JSON.parse(baseline(pss).stats.get(VICTIM.name) ?? '').collectors[name]).toMatchObject({ outcome: 'ok' });
  });

  it.each(DAMAGES.filter(({ fault }) => file && !(file.isDirectory && 'content' in fault)))(
    'costs only itself where its file $what',
    async ({ fault, words }) => {
      const after = await observe({ pss }, (agent) => {
        note(agent);
        if (file) agent.host.faults.break(file.path, fault);
      });
      expectOnlyItself([collector, ...(file?.with ?? []).map(listed)], baseline(pss), after, words);
    },
  );

  it('costs only itself where it has a defect, which is counted', async () => {
    const after = await observe({ pss }, (agent) => {
      note(agent);
      const broken: Collector = agent.app.get(collector);
      for (const method of ['collect', 'collectDetached'] as const) {
        const works = broken[method]?.bind(broken);
        if (!works) continue;
        vi.spyOn(broken, method).mockImplementation((subject) => {
          if (subject.id === VICTIM.id) throw new TypeError('a defect');
          // The spy is of one of two methods, each with its own result.
          return works(subject) as never;
        });
      }
    });
    expectOnlyItself([collector], baseline(pss), after, { outcome: 'failed', reason: 'io_error' });
    const defects = [...samplesOf(after).values()].find((sample) =>
      sample.line.startsWith(`vmgauge_collector_defects_total{collector="${name}"}`),
    );
    expect(defects?.value).toBeGreaterThan(0);
  });
});
