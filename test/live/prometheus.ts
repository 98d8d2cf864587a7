import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { record } from './agent.js';
import { Child, keep } from './child.js';
import type { Cleanup } from './cleanup.js';
import { until } from './until.js';

/** What Prometheus asked for and was given, as the way between them saw it. */
export interface Scrape {
  readonly accept: string;
  readonly encoding: string;
  readonly status: number;
  readonly type: string;
}

/**
 * A way from Prometheus to the agent that notes what passes. Debian's Prometheus cannot be told which protocol to ask for, so `accept`
 * takes the place of what it says where a text is given.
 */
export async function startWay(cleanup: Cleanup, agentPort: number, accept?: string): Promise<{ port: number; scrapes: Scrape[] }> {
  const scrapes: Scrape[] = [];
  const server = createServer((asked, answer) => {
    const headers = accept === undefined ? asked.headers : { ...asked.headers, accept };
    const forwarded = request({ port: agentPort, host: '127.0.0.1', path: asked.url, headers }, (given) => {
      scrapes.push(toScrape(asked, given));
      answer.writeHead(given.statusCode ?? 502, given.headers);
      given.pipe(answer);
    });
    forwarded.on('error', () => answer.destroy());
    asked.pipe(forwarded);
  });
  cleanup.add(() => server.closeAllConnections());
  cleanup.add(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: Number(record(server.address()).port), scrapes };
}

function toScrape(asked: IncomingMessage, given: IncomingMessage): Scrape {
  return {
    accept: asked.headers.accept ?? '',
    encoding: given.headers['content-encoding'] ?? '',
    status: given.statusCode ?? 0,
    type: given.headers['content-type'] ?? '',
  };
}

export interface Series {
  readonly labels: Readonly<Record<string, unknown>>;
  readonly value: number;
}

/** A Prometheus of Debian's package with a configuration and a data directory of its own. */
export class Prometheus {
  private constructor(
    readonly child: Child,
    private readonly url: string,
  ) {}

  /**
   * @param jobs port to scrape by name of the job
   * @param rules files of rules, by absolute path
   */
  static async start(cleanup: Cleanup, jobs: Readonly<Record<string, number>>, rules: readonly string[] = []): Promise<Prometheus> {
    const directory = cleanup.directory();
    const scrapeConfigs = Object.entries(jobs).map(([name, port]) => ({
      job_name: name,
      static_configs: [{ targets: [`127.0.0.1:${port}`] }],
    }));
    const global = { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' };
    const config = { global, rule_files: rules, scrape_configs: scrapeConfigs };
    // JSON is YAML.
    writeFileSync(join(directory, 'prometheus.yml'), JSON.stringify(config));
    const flags = ['--web.listen-address=127.0.0.1:0', '--log.level=debug', '--log.format=json', `--storage.tsdb.path=${directory}/data`];
    const child = keep(cleanup, new Child('prometheus', [`--config.file=${directory}/prometheus.yml`, ...flags], { cwd: directory }));
    const [, address] = await child.wrote('stderr', /"address":"(127\.0\.0\.1:[1-9]\d*)"/);
    // It listens before it can answer: until then it is 503.
    await until(
      async () => (await fetch(`http://${address}/-/ready`)).ok || undefined,
      () => 'Prometheus ready',
    );
    return new Prometheus(child, `http://${address}`);
  }

  /** Lines of its log as heavy as a warning, and whatever it says of a scrape at any level: a page it cannot parse is a matter for debug. */
  get complaints(): readonly string[] {
    return this.child.stderr.split('\n').filter((line) => /"level":"(warn|error)"|"scrape_pool":/.test(line));
  }

  async query(expression: string): Promise<readonly Series[]> {
    const { result } = record(await this.get(`query?query=${encodeURIComponent(expression)}`));
    return (Array.isArray(result) ? result : []).map((item: unknown) => {
      const { metric, value } = record(item);
      return { labels: record(metric), value: Array.isArray(value) ? Number(value[1]) : Number.NaN };
    });
  }

  async targets(): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const { activeTargets } = record(await this.get('targets'));
    return (Array.isArray(activeTargets) ? activeTargets : []).map((target: unknown) => record(target));
  }

  private async get(what: string): Promise<unknown> {
    const { status, data } = record(await (await fetch(`${this.url}/api/v1/${what}`)).json());
    if (status !== 'success') throw new Error(`${what}: ${JSON.stringify(data)}`);
    return data;
  }
}
