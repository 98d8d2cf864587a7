// Figures of tracing: what it costs a process that does little else than system calls, with and without it being enrolled.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Child } from './child.mjs';
import { CannotRun, HERE, need, run } from './machine.mjs';
import { interleave, median, ratio } from './rounds.mjs';
import { Server } from './server.mjs';

const CONNECTIONS = 16;
const REQUESTS = 6000;
/** Before each turn, not measured: the server lay idle while bpftrace started. */
const WARM_UP = 2000;
const BODY_BYTES = 1024;
/** As the agent has it by default. */
const INTERVAL_MS = 5000;
const MODULES = ['model/settings', 'host/host', 'modules/events/catalog', 'modules/events/script', 'modules/events/doorbell'];

/**
 * tracing: CPU per request of an HTTP server, the worst case: four calls on sockets and two switches each. In every round without bpftrace,
 * with all default blocks and nobody enrolled, and with the server enrolled, in an order that changes. Then the same for each block alone.
 */
export async function tracing({ workshop, dist, rounds, report }) {
  need('bpftrace', 'taskset');
  if (process.getuid() !== 0) throw new CannotRun('bpftrace needs root');
  if (isTraced()) report.information('tracing: another bpftrace runs', '', 'what it costs already is missing from these figures');
  const kernel = await kernelSide(dist);
  const script = (wanted, name) => ({ ...kernel, ...kernel.compose(wanted), path: workshop.path(`tracing-${name}.bt`) });
  const all = new Tracer(script(kernel.defaults, 'all'));
  const alone = all.blocks.map((block) => [block, new Tracer(script([block], block))]);
  const server = await Server.node(join(HERE, 'raw-fastify.mjs'), [String(BODY_BYTES)]);
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const apart = await pinApart(server.process.pid);
  const url = `${server.url}/instances/x/stats`;
  const turn = (tracer, isEnrolled) => async () => {
    for (const other of [all, ...alone.map(([, one]) => one)]) if (other !== tracer) await other.stop();
    await tracer?.start();
    tracer?.enrol(server.process.pid, isEnrolled);
    await load(url, agent, WARM_UP);
    const before = server.cpuMs();
    await load(url, agent, REQUESTS);
    return ((server.cpuMs() - before) / REQUESTS) * 1000;
  };
  const us = (values) => `${median(values).toFixed(1)} µs`;
  try {
    const costs = await interleave({ without: turn(null, false), stranger: turn(all, false), enrolled: turn(all, true) }, rounds, 2);
    const note = `${us(costs.enrolled)} a request, ${us(costs.without)} without; ${all.blocks.join(', ')}`;
    report.figure('tracing: CPU per request, enrolled', ratio(costs.enrolled, costs.without), 1.2, { note });
    report.figure('tracing: CPU per request, not enrolled', ratio(costs.stranger, costs.without), 1.05, { note: us(costs.stranger) });
    const turns = Object.fromEntries(alone.map(([block, tracer]) => [block, turn(tracer, false)]));
    const parts = await interleave({ without: turn(null, false), ...turns }, Math.max(3, Math.ceil(rounds / 3)), 1);
    for (const [block] of alone) report.information(`tracing: ${block} alone, not enrolled`, ratio(parts[block], parts.without).toFixed(2));
  } finally {
    agent.destroy();
    for (const tracer of [all, ...alone.map(([, one]) => one)]) await tracer.stop();
    await apart.end();
    await server.stop();
  }
}

/** Whether somebody else's bpftrace runs: every system call of the host is slower already. */
const isTraced = () =>
  readdirSync('/proc').some((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'latin1') === 'bpftrace\n';
    } catch {
      return false;
    }
  });

/** The server has a CPU of its own, where there are two: neither the load nor bpftrace, which inherits from us, disturbs it. */
async function pinApart(server) {
  const { stdout } = await run('taskset', ['-pc', String(process.pid)]);
  const before = stdout.trim().split(': ').at(-1);
  const allowed = before.split(',').flatMap((range) => {
    const [from, to = from] = range.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
  if (allowed.length < 2) return { end: () => undefined };
  const pin = (cpus, pid) => run('taskset', ['-apc', String(cpus), String(pid)]);
  await pin(allowed[0], process.pid);
  await pin(allowed[1], server);
  return { end: () => pin(before, process.pid) };
}

/** What is attached is of the build that is measured, for this kernel and with the bench as the ringer. */
async function kernelSide(dist) {
  const [{ Settings }, { Host }, { readCatalog }, { composeScript }, { enrolProcess, withdrawProcess }] = await Promise.all(
    MODULES.map((name) => import(pathToFileURL(join(dist, `${name}.js`)).href)),
  );
  const catalog = readCatalog(new Host());
  if (typeof catalog === 'string') throw new CannotRun(`nothing can be traced here: ${catalog}`);
  const compose = (wanted) => {
    const { text, blocks } = composeScript({ wanted, catalog, intervalMs: INTERVAL_MS, ringer: process.pid });
    return { text, blocks: wanted.filter((name) => blocks[name] === null) };
  };
  return { compose, enrolProcess, withdrawProcess, defaults: new Settings().tracingBlocks };
}

/** bpftrace, and the bench as its ringer. */
class Tracer {
  #child;

  constructor({ path, text, enrolProcess, withdrawProcess, blocks }) {
    writeFileSync(path, text);
    this.path = path;
    this.numbersOf = (pid, isEnrolled) => (isEnrolled ? enrolProcess(pid, 1) : withdrawProcess(pid));
    this.blocks = blocks;
  }

  /** Resolves when all probes are attached. */
  async start() {
    if (this.#child !== undefined) return;
    this.#child = new Child('bpftrace', ['-B', 'none', this.path], { env: { ...process.env, BPFTRACE_MAP_KEYS_MAX: '4096' } });
    while (!(await this.#child.line()).startsWith('tick'));
  }

  enrol(pid, isEnrolled) {
    for (const number of this.numbersOf(pid, isEnrolled)) {
      try {
        process.kill(number, 0);
      } catch {
        // There is no such process: bpftrace has heard it.
      }
    }
  }

  /** The end of its input does not end it. */
  async stop() {
    if (this.#child === undefined) return;
    process.kill(this.#child.pid, 'SIGTERM');
    await this.#child.stop();
    this.#child = undefined;
  }
}

async function load(url, agent, requests) {
  let left = requests;
  const one = () =>
    new Promise((resolve, reject) => {
      request(url, { agent }, (answer) => answer.resume().once('end', resolve))
        .once('error', reject)
        .end();
    });
  const connection = async () => {
    while (left-- > 0) await one();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
}
