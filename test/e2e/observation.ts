import { expect, vi } from 'vitest';
import { Outcome } from '../../src/model/outcome.js';
import { Collection } from '../../src/modules/collection/collection.js';
import { Timing } from '../../src/modules/events/measure.js';
import { TracedInstance } from '../../src/modules/events/traced-instance.js';
import { TracedProcesses } from '../../src/modules/events/traced-processes.js';
import { OvsObserver } from '../../src/modules/network/ovs/observer.js';
import type { VmmAnswer } from '../../src/modules/vmm/answer.js';
import { VmmAsker } from '../../src/modules/vmm/asker.js';
import { anInterface, anOwnPort } from '../switch-port.js';
import { answering, FULL_ANSWER } from '../vmm-answer.js';
import { Agent } from './agent.js';
import { SHOP, STAGING } from './sandboxes.js';
import { rootOf, story } from './stories.js';
import { type ParsedFamily, parseStrictly, type Sample } from './strict-exposition.js';

/** What an agent says of a host. */
export interface Observation {
  /** Stats documents by id, as text. */
  readonly stats: ReadonlyMap<string, string>;
  /** Pages of one instance by id. */
  readonly pages: ReadonlyMap<string, string>;
  readonly families: ReadonlyMap<string, ParsedFamily>;
  readonly openMetrics: string;
}

/** Whose files are broken, among others that must not notice. */
export interface Victim {
  readonly story: string;
  readonly id: string;
  /** All of the story that run. */
  readonly ids: readonly string[];
}

/** A VM that is no sandbox: three run, this one has a vhost thread. */
export const VM = {
  story: 'hypeman',
  id: 'qem4xk2p9wvb7rtn3ay6',
  pid: 5001,
  vhost: 5002,
  ids: ['qem4xk2p9wvb7rtn3ay6', 'clh8mz1q5ldc0sgu2je4', 'fcr3vn7h6ykx9wta1bp8'],
} as const satisfies Victim & Readonly<Record<string, unknown>>;
/** One of two VMs with a cgroup of version 2 each, below the same slice; this one's has a limit of everything. */
export const LIMITED = {
  story: 'limited-vms',
  id: '3f0c6a1e-0000-4000-8000-0123456789ab',
  pid: 15_376,
  ids: ['3f0c6a1e-0000-4000-8000-0123456789ab', '0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11'],
} as const satisfies Victim & Readonly<Record<string, unknown>>;
/** One of two sandboxes whose pods have the same name. */
export const SANDBOX: Victim = { story: SHOP.story, id: SHOP.id, ids: [SHOP.id, STAGING.id] };

/** More sweeps than any collector waits for, and longer than any interval. */
const SWEEPS = 13;
const STEP_MS = 10_000;
/** A detached collector pauses a hundred times as long as a reading took: the clock must not move far while it reads. */
const DETACHED_INTERVAL_MS = 1;

/** The VMMs tell all there is to tell of VMs that run. */
const ANSWER: VmmAnswer = { ...FULL_ANSWER, state: { word: 'running', state: 'running' } };
/** They need none of it. */
const ANSWER_MS = 30_000;

/** At a switch that answered when it was. */
const PORTS = [anOwnPort(anInterface('tap0'))];

/** Off by default. */
const DETACHED = ['pss', 'memory_breakdown'];

/** Starts an agent, breaks it when all is well, lets it sweep until every collector has had its turn, and writes down what it says. */
export async function observe(
  { story: name, id, ids }: Victim,
  settings: { pss: boolean },
  damage: (agent: Agent) => void = () => undefined,
): Promise<Observation> {
  const agent = await Agent.start(rootOf(story(name)), {
    settings: { collectors: new Map(DETACHED.map((name) => [name, settings.pss])), pssIntervalMs: DETACHED_INTERVAL_MS },
    dialogues: [answering('qemu', () => ANSWER)],
  });
  try {
    await agent.app.get(VmmAsker, { strict: false }).settle(ANSWER_MS);
    if (settings.pss) await detachedReadings(agent);
    const { owners } = agent.app.get(OvsObserver, { strict: false });
    vi.spyOn(owners, 'of').mockImplementation((subject) => (subject.id === id ? PORTS : []));
    trace(agent, id);
    damage(agent);
    await agent.sweep(SWEEPS, STEP_MS);
    if (settings.pss) await detachedReadings(agent);
    const of = async (path: (id: string) => string): Promise<ReadonlyMap<string, string>> =>
      new Map(await Promise.all(ids.map(async (id) => [id, await agent.text(path(id))] as const)));
    return {
      stats: await of((id) => `/instances/${id}/stats`),
      pages: await of((id) => `/instances/${id}/metrics`),
      families: parseStrictly(await agent.text('/metrics'), 'text'),
      openMetrics: await agent.text('/metrics', { accept: 'application/openmetrics-text' }),
    };
  } finally {
    await agent.stop();
  }
}

/** As if the kernel had counted of the instance: nothing of that is in a file. */
function trace(agent: Agent, id: string): void {
  const [subject] = agent.app.get(Collection).order.keys.filter((one) => one.id === id);
  const instance = new TracedInstance(subject, 1);
  instance.names.set('vmm', { timings: new Map([['rtt', new Timing()]]), amounts: new Map([['send_bytes', 7]]) });
  const traced = agent.app.get(TracedProcesses, { strict: false });
  vi.spyOn(traced, 'of').mockImplementation((one) => (one.id === id ? { instance, source: 'ebpf' } : Outcome.notConfigured));
}

/** Lets the collectors with timers of their own read every instance once more, and a sweep take it over. */
async function detachedReadings(agent: Agent): Promise<void> {
  const { sampler, order } = agent.app.get(Collection);
  const finished = new Map<string, number>();
  const collectDetached = sampler.collectDetached.bind(sampler);
  const spy = vi.spyOn(sampler, 'collectDetached').mockImplementation(async (state, instance) => {
    const startedAt = agent.host.clock.monotonic();
    const outcome = await collectDetached(state, instance);
    finished.set(`${state.collector.about.name} ${instance.id}`, startedAt);
    return outcome;
  });
  agent.host.clock.advance(DETACHED_INTERVAL_MS);
  const now = agent.host.clock.monotonic();
  const wanted = sampler.active
    .filter(({ collector }) => collector.collectDetached)
    .flatMap(({ collector }) =>
      order.keys.filter((subject) => collector.concerns?.(subject) !== false).map(({ id }) => `${collector.about.name} ${id}`),
    );
  await vi.waitFor(
    () => {
      for (const reading of wanted) expect([reading, finished.get(reading)]).toEqual([reading, now]);
    },
    { timeout: 50_000, interval: 20 },
  );
  spy.mockRestore();
  await agent.app.get(Collection).sweep();
}

/** Every sample of the page by its whole line. */
export const samplesOf = ({ families }: Observation): ReadonlyMap<string, Sample> =>
  new Map([...families.values()].flatMap(({ samples }) => samples.map((sample) => [sample.line, sample] as const)));

/** Members of two documents that differ, as dotted paths with the second's value. */
export function differences(before: unknown, after: unknown, path = ''): ReadonlyMap<string, unknown> {
  if (typeof before === 'object' && typeof after === 'object' && before !== null && after !== null) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return new Map(
      [...keys].flatMap((key) => [...differences(Reflect.get(before, key), Reflect.get(after, key), path === '' ? key : `${path}.${key}`)]),
    );
  }
  return before === after ? new Map() : new Map([[path, after]]);
}
