// npm run bench: figures of speed and memory, each a quotient of costs from interleaved rounds in this one run, beside its target.
// It measures the code in dist/, builds its C programs in a temporary directory and installs nothing. It is no test: it always ends with 0.
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { memory, scrape, statsRoute, systemCalls, versionOf } from './agent-parts.mjs';
import { CannotRun, HERE, needDescriptors, StandIns, Workshop } from './machine.mjs';
import { ovs } from './ovs-parts.mjs';
import { Report } from './report.mjs';
import { shimTexts } from './shim-parts.mjs';
import { manyInstances, sweepAgainstFloor, taps } from './sweep-parts.mjs';
import { tracing } from './tracing-parts.mjs';

const NAMES = [
  'sample',
  'encode',
  'prom-client',
  'get-1',
  'get-8',
  'syscalls',
  'taps',
  'loop',
  'stats',
  'shims',
  'ovs',
  'tracing',
  'memory-1000',
  'memory-3000',
  'linear',
];
const HELP = `usage: npm run bench -- [--only=name,name] [--rounds=15] [--dist=dist] [--bundle=dist-bundle/vmgauge.mjs]\nnames: ${NAMES.join(' ')}\n`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '15' },
    dist: { type: 'string', default: join(HERE, '../../dist') },
    bundle: { type: 'string', default: join(HERE, '../../dist-bundle/vmgauge.mjs') },
    help: { type: 'boolean', default: false },
  },
});
const only = values.only?.split(',') ?? NAMES;
const unknown = only.filter((name) => !NAMES.includes(name));
const rounds = Number(values.rounds);
if (values.help || unknown.length > 0 || !(rounds >= 1)) {
  process.stderr.write(`${unknown.length > 0 ? `no figure is called ${unknown.join(', ')}\n` : ''}${HELP}`);
  process.exit(values.help ? 0 : 2);
}
const dist = resolve(values.dist);
if (!existsSync(join(dist, 'cli.js'))) {
  process.stderr.write(`${dist} holds no build: npm run build\n`);
  process.exit(2);
}

const wants = (...names) => names.some((name) => only.includes(name));
const workshop = new Workshop();
const groups = new Map();
const report = new Report(process.stdout);
const context = { workshop, dist, rounds, report, wants };
const forms = [
  { name: 'bundle', entry: resolve(values.bundle), isShipped: true, nodeFlags: imageFlags(), environment: imageEnvironment() },
  { name: 'plain build', entry: join(dist, 'cli.js'), isShipped: false },
];

/** What the image gives Node before the program, from its ENTRYPOINT. */
function imageFlags() {
  const entryPoint = /^ENTRYPOINT (\[.*\])$/m.exec(dockerfile())?.[1];
  return entryPoint === undefined ? [] : JSON.parse(entryPoint).filter((word) => word.startsWith('--'));
}

/** What the image tells the allocator, from its ENV. */
function imageEnvironment() {
  return Object.fromEntries([...dockerfile().matchAll(/\b(MALLOC_[A-Z_]+)=(\d+)/g)].map(([, name, value]) => [name, value]));
}

function dockerfile() {
  const path = join(HERE, '../../Dockerfile');
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

async function group(name, options) {
  if (!groups.has(name)) groups.set(name, await StandIns.start(workshop, { name, ...options }));
  return groups.get(name);
}

async function stop(...names) {
  for (const name of names) {
    await groups.get(name)?.stop();
    groups.delete(name);
  }
}

/** Runs what is asked for; a part that cannot run, or fails, is said and costs the others nothing. */
async function part(names, work) {
  if (!wants(...names)) return;
  try {
    await work();
  } catch (error) {
    const reason = error instanceof CannotRun ? error.message : `failed: ${error instanceof Error ? error.stack : error}`;
    for (const name of names.filter((name) => wants(name))) report.cannot(name, reason);
  }
}

const thousand = () => group('a', { count: 1000 });
const twoThousandMore = () => group('b', { count: 2000, first: 1000 });

async function measure() {
  report.say(`vmgauge ${versionOf(dist)}, node ${process.version}, ${cpus().length} × ${cpus()[0].model}, ${rounds} rounds\n`);
  await part(['sample', 'encode', 'prom-client'], async () => sweepAgainstFloor({ ...context, group: await thousand() }));
  await part(['get-1'], async () => scrape({ ...context, group: await thousand(), threads: 1, target: 1 / 8 }));
  await part(['syscalls'], async () =>
    systemCalls({ ...context, groups: [await group('few', { count: 200, first: 5000 }), await thousand()] }),
  );
  await stop('few');
  await part(['stats'], async () => statsRoute({ ...context, group: await thousand() }));
  await part(['shims'], () => shimTexts(context));
  await part(['ovs'], () => ovs(context));
  await part(['tracing'], () => tracing(context));
  await part(['memory-1000'], async () => memory({ forms, report, groups: [await thousand()], instances: 1000, target: 110 }));
  await part(['linear', 'loop'], async () => {
    needDescriptors(3000);
    await manyInstances({ ...context, groups: [await thousand(), await twoThousandMore()] });
  });
  await part(['memory-3000'], async () => {
    needDescriptors(3000);
    await memory({ forms, report, groups: [await thousand(), await twoThousandMore()], instances: 3000, target: 160 });
  });
  await stop('a', 'b');
  await part(['taps'], async () => taps({ ...context, group: await group('taps', { count: 1000, tapPrefix: 'bench' }) }));
  await stop('taps');
  await part(['get-8'], async () => {
    await scrape({ ...context, group: await group('threads', { count: 1000, threads: 8 }), threads: 8, target: 1 / 28 });
  });
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
process.on('exit', () => workshop.remove());
try {
  await measure();
  report.end();
} finally {
  await stop(...groups.keys());
}
