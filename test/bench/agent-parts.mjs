// Figures of the agent as its own process: HTTP, other exporters, system calls, memory.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CannotRun, HERE, hasProgram, need, run } from './machine.mjs';
import { asFraction } from './report.mjs';
import { interleave, median, ratio } from './rounds.mjs';
import { Server, sleep } from './server.mjs';

const PROCESS_EXPORTER = 'prometheus-process-exporter';
/** Every scrape sweeps; without it scrapes within a second share a sweep. */
const EVERY_TIME = ['--collection.max-age=0s'];
/** As little as possible beside what is asked for. */
const QUIET = [...EVERY_TIME, '--collection.interval=1h', '--discovery.interval=1h'];
const LOAD_SECONDS = 2;
const CONNECTIONS = 16;
const MEMORY_SCRAPES = 15;

const cli = (dist) => join(dist, 'cli.js');

/** get: a whole scrape, against process-exporter with its defaults on the same processes. */
export async function scrape({ workshop, dist, rounds, report, group, threads, target }) {
  need(PROCESS_EXPORTER, 'curl');
  const config = workshop.path('process-exporter.yml');
  writeFileSync(config, `process_names:\n  - name: "{{.PID}}"\n    cmdline:\n      - guest=vm-\\d{6}\n`);
  const theirs = await Server.program(PROCESS_EXPORTER, (port) => ['-config.path', config, '-web.listen-address', `127.0.0.1:${port}`]);
  const ours = await Server.agent(cli(dist), [group.executable], EVERY_TIME);
  try {
    await sameProcesses(theirs, group);
    let bytes;
    const turn = (server) => async () => {
      const got = await server.get('/metrics');
      if (server === ours) bytes = got.bytes;
      return got.cpuMs;
    };
    const costs = await interleave({ ours: turn(ours), theirs: turn(theirs) }, Math.ceil(rounds / 2), 4);
    const ms = (values) => `${median(values).toFixed(1)} ms`;
    const note = `CPU ${ms(costs.ours)} (${(bytes / 1e6).toFixed(1)} MB), process-exporter ${ms(costs.theirs)}; a sweep in every scrape`;
    report.figure(`get-${threads}: GET /metrics against process-exporter`, ratio(costs.ours, costs.theirs), target, {
      show: asFraction,
      note,
    });
  } finally {
    await Promise.all([ours.stop(), theirs.stop()]);
  }
}

async function sameProcesses(theirs, group) {
  const seen = [...(await theirs.text('/metrics')).matchAll(/^namedprocess_namegroup_num_procs\{groupname="\d+"\}/gm)].length;
  // Its listing is not of one moment; a few it may see twice or not at all.
  if (seen < 0.99 * group.pids.length) throw new CannotRun(`process-exporter sees ${seen} of ${group.pids.length} stand-ins`);
}

/** syscalls: the difference between a scrape of many and one of few, so that what is not of an instance falls out. */
export async function systemCalls({ dist, report, groups }) {
  need('strace', 'curl');
  const counts = [];
  for (const { executable, pids } of groups) {
    const agent = await Server.agent(cli(dist), [executable], QUIET);
    try {
      // The slow collectors have their first turn at once and are then spread over a minute: what they read in between is counted too.
      await agent.get('/metrics');
      counts.push({ calls: await tracedCalls(agent), instances: pids.length });
    } finally {
      await agent.stop();
    }
  }
  const [few, many] = counts;
  const each = (many.calls.total - few.calls.total) / (many.instances - few.instances);
  const top = [...many.calls.byName].sort((a, b) => b[1] - a[1]).slice(0, 5);
  const note = `${many.calls.total} of ${many.instances}, ${few.calls.total} of ${few.instances}: ${top.map(([name, n]) => `${name} ${n}`).join(', ')}`;
  report.figure('syscalls: per instance and sweep', each, 7, { note });
}

/** Files of the fast tier only: what is opened is the slow tier's. */
async function tracedCalls(agent) {
  const tracer = spawn('strace', ['-f', '-c', '-U', 'calls,name', '-p', String(agent.process.pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  tracer.stderr.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  for (let i = 0; i < 100 && !text.includes('attached'); i++) await sleep(50);
  if (!text.includes('attached')) throw new CannotRun(`strace cannot attach: ${text.trim()}`);
  await sleep(200);
  await agent.get('/metrics');
  const exited = once(tracer, 'close');
  tracer.kill('SIGINT');
  await exited;
  const byName = new Map([...text.matchAll(/^\s*(\d+)\s+([a-z]\w*)\s*$/gm)].map(([, calls, name]) => [name, Number(calls)]));
  byName.delete('total');
  const total = [...byName.values()].reduce((sum, calls) => sum + calls, 0);
  if (total === 0) throw new CannotRun(`strace counted nothing: ${text.trim().slice(0, 200)}`);
  return { total, byName };
}

/** stats: the document of one instance under load, against Fastify alone with a body of equal length. */
export async function statsRoute({ dist, rounds, report, group }) {
  // Discovery goes on whether anybody asks or not; the sweeps are those that the requests call for.
  const agent = await Server.agent(cli(dist), [group.executable], ['--discovery.interval=1h', '--collection.interval=1h']);
  let raw;
  try {
    const { instances } = JSON.parse(await agent.text('/instances?limit=5000'));
    const { id } = instances.find(({ pid }) => group.pids.includes(pid));
    const path = `/instances/${id}/stats`;
    const { length } = await agent.text(path);
    raw = await Server.node(join(HERE, 'raw-fastify.mjs'), [String(length)]);
    const turn = (server) => async () => {
      const before = server.cpuMs();
      const requests = await load(server.url + path);
      return ((server.cpuMs() - before) * 1000) / requests;
    };
    const costs = await interleave({ ours: turn(agent), raw: turn(raw) }, Math.max(3, Math.ceil(rounds / 3)), 2);
    const us = (values) => `${median(values).toFixed(1)} µs`;
    const note = `CPU of a request ${us(costs.ours)}, raw ${us(costs.raw)}; ${length} bytes, ${CONNECTIONS} connections, sweeps of ${group.pids.length} included`;
    report.figure('stats: GET /instances/{id}/stats against raw Fastify', ratio(costs.ours, costs.raw), 1.3, { note });
  } finally {
    await Promise.all([agent.stop(), raw?.stop()]);
  }
}

/** @returns how many requests were answered, all of them 200 */
async function load(url) {
  if (hasProgram('wrk')) {
    const { stdout } = await run('wrk', ['-t1', `-c${CONNECTIONS}`, `-d${LOAD_SECONDS}s`, url]);
    if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout);
    return Number(/(\d+) requests in/.exec(stdout)[1]);
  }
  const { default: autocannon } = await import('autocannon');
  const result = await autocannon({ url, connections: CONNECTIONS, duration: LOAD_SECONDS });
  if (result.non2xx > 0 || result.errors > 0) throw new Error(`${result.non2xx} answers other than 200, ${result.errors} errors`);
  return result['2xx'];
}

/** memory: the agent with its defaults after scrapes, in each form that was built. */
export async function memory({ forms, report, groups, instances, target }) {
  need('curl');
  const label = `memory-${instances}: resident memory, MiB`;
  let shipped;
  for (const { name, entry, isShipped, nodeFlags = [], environment = {} } of forms) {
    if (!existsSync(entry)) {
      report.information(`${label} (${name})`, 'not built', `${entry} is missing: npm run bundle`);
      continue;
    }
    const measured = await residentAfterScrapes(entry, groups, nodeFlags, environment);
    const note = `largest ${whole(measured.largest)} after ${MEMORY_SCRAPES} scrapes ${nodeFlags.join(' ')}`;
    if (isShipped) shipped = measured;
    else report.information(`${label} (${name})`, `${whole(measured.middle)} MiB`, note);
    if (isShipped) report.figure(`${label} (${name})`, measured.middle, target, { show: whole, note });
  }
  if (!shipped) report.cannot(label, 'the form that the image ships is not built; the plain build stands above');
}

const whole = (value) => value.toFixed(0);

async function residentAfterScrapes(entry, groups, nodeFlags, environment) {
  const agent = await Server.agent(
    entry,
    groups.map(({ executable }) => executable),
    EVERY_TIME,
    nodeFlags,
    environment,
  );
  try {
    const values = [];
    for (let scrape = 0; scrape < MEMORY_SCRAPES; scrape++) {
      await agent.get('/metrics');
      await sleep(150);
      values.push(agent.residentMiB());
    }
    // The first scrapes still make what the others use again.
    const settled = values.slice(5);
    return { middle: median(settled), largest: Math.max(...values) };
  } finally {
    await agent.stop();
  }
}

/** The command line of the built package's own `bin`, for the head of the table. */
export const versionOf = (dist) => JSON.parse(readFileSync(join(dist, '..', 'package.json'), 'utf8')).version;
