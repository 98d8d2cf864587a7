import { join, resolve } from 'node:path';
import { Child, type Ended, keep, run } from './child.js';
import type { Cleanup } from './cleanup.js';
import { until } from './until.js';

export const PACKAGE = resolve(import.meta.dirname, '../..');
export const DIST = resolve(import.meta.dirname, process.env.VMGAUGE_DIST ?? '../../dist');
const CLI = join(DIST, 'cli.js');
/** Tests ask faster than scrapers, and only those about tracing trace. Flags win. */
const CALM = { VMGAUGE_WEB_RATE_LIMIT: '0', VMGAUGE_TRACING_MODE: 'off', VMGAUGE_COLLECTOR_SOCKETS: 'false' };

/** The agent as a process of its own, listening. */
export class RunningAgent {
  constructor(
    readonly child: Child,
    /** `http://127.0.0.1:<port>`, or what it says of a socket. */
    readonly url: string,
  ) {}

  get port(): number {
    return Number(new URL(this.url).port);
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(this.url + path, { headers });
  }

  /** @param body sent as JSON unless it is text already */
  send(method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
    return fetch(this.url + path, {
      method,
      headers: { ...(text === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      body: text,
    });
  }

  // Answers are read as strangers would: the specs say what they expect in them.
  async json(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Record<string, unknown>> {
    const response = await this.get(path, headers);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return record(await response.json());
  }

  async metric(name: string): Promise<number | undefined> {
    const text = await (await this.get(`/metrics?collect[]=self&filter_family=${name}`)).text();
    const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.slice(name.length + 1));
  }

  /** Waits until an instance is known and one of its sweeps is done. */
  async sees(id: string, headers: Readonly<Record<string, string>> = {}): Promise<Record<string, unknown>> {
    await until(
      async () => (await this.get(`/instances/${id}`, headers)).ok || undefined,
      () => `instance ${id}`,
    );
    return this.json(`/instances/${id}/stats`, headers);
  }

  stop(): Promise<void> {
    return this.child.stop();
  }
}

/** Starts the agent on a free port and waits until it listens. Later flags win over the ones given here only where they differ in name. */
export async function startAgent(
  cleanup: Cleanup,
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<RunningAgent> {
  const listen = flags.some((flag) => flag.startsWith('--web.listen-address')) ? [] : ['--web.listen-address=127.0.0.1:0'];
  const child = keep(cleanup, new Child(process.execPath, [CLI, ...listen, ...flags], { env: { ...CALM, ...env } }));
  const [, address] = await child.wrote('stderr', /listening on ([^\s"]+)/);
  return new RunningAgent(child, address);
}

/** The agent where it is expected to end by itself. */
export const runAgent = (flags: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Child & Ended> =>
  run(process.execPath, [CLI, ...flags], { env: { ...CALM, ...env } });

export const agentCommand = (flags: readonly string[]): readonly string[] => [process.execPath, CLI, ...flags];

export function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new Error(`not an object: ${JSON.stringify(value)}`);
  return Object.fromEntries(Object.entries(value));
}
