// Figures of tracing: what it costs a process that does little else than system calls, with and without it being enrolled.
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Child } from './child.mjs';
import { CannotRun, HERE, need } from './machine.mjs';
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
 * tracing: CPU per request of an HTTP server, the worst case: four calls on sockets and two switches each. In every round first without
 * bpftrace, then with all default blocks and nobody enrolled, then with the server enrolled.
 */
export async function tracing({ workshop, dist, rounds, report }) {
  need('bpftrace');
  if (process.getuid() !== 0) throw new CannotRun('bpftrace needs root');
  const server = await Server.node(join(HERE, 'raw-fastify.mjs'), [String(BODY_BYTES)]);
  const tracer = new Tracer(await scriptOf(dist, workshop.path('tracing.bt')));
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const url = `${server.url}/instances/x/stats`;
  const turn = (prepare) => async () => {
    await prepare();
    await load(url, agent, WARM_UP);
    const before = server.cpuMs();
    await load(url, agent, REQUESTS);
    return ((server.cpuMs() - before) / REQUESTS) * 1000;
  };
  const turns = {
    without: turn(() => tracer.stop()),
    stranger: turn(() => tracer.start()),
    enrolled: turn(() => tracer.enrol(server.process.pid)),
  };
  try {
    const costs = await interleave(turns, rounds, 2);
    const us = (values) => `${median(values).toFixed(1)} µs`;
    const note = `${us(costs.enrolled)} a request, ${us(costs.without)} without; ${tracer.blocks.join(', ')}`;
    report.figure('tracing: CPU per request, enrolled', ratio(costs.enrolled, costs.without), 1.2, { note });
    report.figure('tracing: CPU per request, not enrolled', ratio(costs.stranger, costs.without), 1.05, { note: us(costs.stranger) });
  } finally {
    agent.destroy();
    await tracer.stop();
    await server.stop();
  }
}

async function scriptOf(dist, path) {
  const [{ Settings }, { Host }, { readCatalog }, { composeScript }, { enrolProcess }] = await Promise.all(
    MODULES.map((name) => import(pathToFileURL(join(dist, `${name}.js`)).href)),
  );
  const catalog = readCatalog(new Host());
  if (typeof catalog === 'string') throw new CannotRun(`nothing can be traced here: ${catalog}`);
  const wanted = new Settings().tracingBlocks;
  const { text, blocks } = composeScript({ wanted, catalog, intervalMs: INTERVAL_MS, ringer: process.pid });
  writeFileSync(path, text);
  return { path, enrolProcess, blocks: wanted.filter((name) => blocks[name] === null) };
}

/** bpftrace, and the bench as its ringer. */
class Tracer {
  #child;

  constructor({ path, enrolProcess, blocks }) {
    this.path = path;
    this.enrolProcess = enrolProcess;
    this.blocks = blocks;
  }

  /** Resolves when all probes are attached. */
  async start() {
    this.#child = new Child('bpftrace', ['-B', 'none', this.path], { env: { ...process.env, BPFTRACE_MAP_KEYS_MAX: '4096' } });
    while (!(await this.#child.line()).startsWith('tick'));
  }

  enrol(pid) {
    for (const number of this.enrolProcess(pid, 1)) {
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
