// The shipped code without its HTTP: discovery, sweep and page over real processes. A child of the bench; answers commands on its input.
// usage: house.mjs <dist> <executables, separated by commas>
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { answerCommands, cpuMicroseconds } from './child.mjs';

const [dist, executables] = process.argv.slice(2);
const load = (file) => import(pathToFileURL(join(dist, file)).href);
// Decorated classes need it before they are loaded.
await import('reflect-metadata');
const { Host } = await load('host/host.js');
const { Tables } = await load('model/tables.js');
const { COLLECTORS } = await load('modules/collection/collectors.js');
const { Collection } = await load('modules/collection/collection.js');
const { Sampler } = await load('modules/collection/sampler.js');
const { Discovery } = await load('modules/instances/discovery.js');
const { Registry } = await load('modules/instances/registry.js');
const { DRIVERS } = await load('modules/hypervisor/drivers.js');
const { ClientFamilies } = await load('modules/metrics/client-families.js');
const { Exposition } = await load('modules/metrics/exposition.js');
const { SelfFamilies } = await load('modules/metrics/self.js');
const { TEXT } = await load('modules/metrics/format.js');
const { Settings } = await load('model/settings.js');

/** Slow collectors have one turn in the first sweep, which fills their cells, and no other: sweeps then are the fast tier alone. */
const NEVER_MS = 1e15;

const host = new Host();
const tables = new Tables();
const collectors = COLLECTORS.map((Collector) => new Collector(tables, host));
const enabled = new Map(COLLECTORS.map(({ about }) => [about.name, about.enabled]));
const sampler = new Sampler(
  tables,
  collectors,
  (name) => enabled.get(name),
  () => ({ slow: NEVER_MS, threads: NEVER_MS }),
  host.clock,
  (_name, error) => {
    throw error;
  },
);
const discovery = new Discovery(host, DRIVERS, executables.split(','));
const registry = new Registry(host, [discovery.source], discovery.source, () => 0);
const collection = new Collection(host, tables, registry, sampler, () => 0);
const self = new SelfFamilies(registry, collection, discovery, host);
const exposition = new Exposition(tables, collection, self, new ClientFamilies(), host, new Settings());

async function render() {
  const page = await exposition.page(TEXT, {});
  page.release();
  return page.bytes;
}

/** Mean cost of one turn, microseconds of CPU over all threads, and whatever the last one gave. */
async function cost(times, work) {
  const before = cpuMicroseconds();
  for (let i = 0; i < times; i++) await work();
  return { us: (cpuMicroseconds() - before) / times };
}

/** How long this thread was ready and got no CPU, proc_pid_schedstat(5): lateness that is the machine's. */
const waitedForCpuMs = () => Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[1]) / 1e6;

/** How late a timer of 1 ms is while `work` is done over and over, milliseconds. */
async function lateness(times, work) {
  const late = [];
  const waitedBefore = waitedForCpuMs();
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    late.push(Math.max(0, now - last - 1));
    last = now;
  }, 1);
  for (let i = 0; i < times; i++) await work();
  clearInterval(timer);
  late.sort((a, b) => a - b);
  return {
    samples: late.length,
    p50: late[late.length >> 1],
    p99: late[Math.floor(late.length * 0.99)],
    max: late.at(-1),
    waitedMs: waitedForCpuMs() - waitedBefore,
  };
}

/** What the taps cost: the pass over the namespaces and the collector's turn at each instance, as the sampler gives it. */
function tapTurn() {
  const network = collectors[COLLECTORS.findIndex(({ about }) => about.name === 'network')];
  tables.interfaces.begin();
  for (const _ of network.begin());
  for (const instance of registry.all()) network.collect(instance);
  tables.interfaces.publish();
}

await answerCommands({
  start: async () => {
    await registry.rescan();
    for (let sweep = 0; sweep < 2; sweep++) await collection.sweep();
    const page = (await render()).toString('latin1');
    const samples = page.split('\n').filter((line) => line !== '' && line[0] !== '#').length;
    const up = collectors.map(({ about }, index) => `${about.name} ${outcomes(index)}`);
    return { instances: collection.last.instances, interfaces: tables.interfaces.size, samples, bytes: page.length, up };
  },
  sample: (times) => cost(times, () => collection.sweep()),
  encode: (times) => cost(times, render),
  both: (times) =>
    cost(times, async () => {
      await collection.sweep();
      await render();
    }),
  rescan: (times) => cost(times, () => registry.rescan()),
  taps: (times) => cost(times, tapTurn),
  lateness: (times) => lateness(times, () => collection.sweep()),
  latenessWithPage: (times) =>
    lateness(times, async () => {
      await collection.sweep();
      await render();
    }),
  dump: async (path) => {
    writeFileSync(path, await render());
    return {};
  },
});

function outcomes(index) {
  const cells = sampler.states[index].success.front;
  return collection.order.rows.filter((row) => cells[row] === 1).length;
}
