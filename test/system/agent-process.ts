import { chmodSync, existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Belongings } from './belongings.js';
import { Child, childrenOf } from './child.js';
import { eventually, Hopeless } from './eventually.js';
import type { Need } from './needs.js';
import type { InstanceDetail, InstanceSummary, Stats, VmmStats } from './stats-document.js';

export const DIST = resolve(process.env.VMGAUGE_DIST ?? join(import.meta.dirname, '../../dist'));
export const PROGRAM = join(DIST, 'cli.js');

/** The agent is tested as it ships: compiled. */
export const builtAgent: Need = { missing: () => (existsSync(PROGRAM) ? undefined : `no ${PROGRAM} (npm run build)`) };

export interface AgentOptions {
  /** By name without dashes; they win over the defaults of these tests. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Words before the program: another user, another namespace. */
  readonly through?: readonly string[];
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Short intervals: what takes seconds in production takes a fifth of one here. */
const DEFAULTS: Readonly<Record<string, string>> = {
  'web.listen-address': '127.0.0.1:0',
  'log.format': 'text',
  'discovery.interval': '200ms',
  'collection.interval': '200ms',
  'collection.max-age': '20ms',
  'collection.slow-interval': '1s',
  'collector.wait.interval': '1s',
  // They ask faster than scrapers, and only those about tracing trace.
  'web.rate-limit': '0',
  'tracing.mode': 'off',
  'collector.sockets': 'false',
};

/** The built agent as a process of its own, asked over HTTP. */
export class AgentProcess {
  private constructor(
    private readonly child: Child,
    private readonly address: string,
  ) {}

  static async start(belongings: Belongings, { flags = {}, through = [] }: AgentOptions = {}): Promise<AgentProcess> {
    const empty = mkdtempSync(join(tmpdir(), 'vmgauge-system-agent-'));
    belongings.own(() => rmSync(empty, { recursive: true, force: true }));
    // The agent may be another user.
    chmodSync(empty, 0o755);
    const settings = { ...DEFAULTS, 'source.hypeman.data-dir': empty, ...flags };
    const words = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
    const child = await Child.start([...through, process.execPath, PROGRAM, ...words]);
    belongings.own(() => child.kill());
    const address = await eventually('the agent listening', () => {
      if (child.ended) throw new Hopeless(`it ended: ${child.complaints}`);
      return /listening on ([^\s"]+)/.exec(child.complaints)?.[1];
    });
    return new AgentProcess(child, address);
  }

  get port(): number {
    return Number(new URL(this.address).port);
  }

  /** What it logged. */
  get log(): string {
    return this.child.complaints;
  }

  /** Ends it now rather than with everything else. */
  end(): Promise<void> {
    return this.child.kill();
  }

  /** Of the agent itself, behind the programs it was started through, as the test's own pid namespace counts. */
  get pid(): number {
    let { pid } = this.child;
    for (let children = childrenOf(pid); children.length > 0; children = childrenOf(pid)) [pid] = children;
    return pid;
  }

  /** What its descriptors are of, without sockets: the connection of the last answer may still be closing. */
  descriptors(): string[] {
    const directory = `/proc/${this.pid}/fd`;
    return readdirSync(directory).flatMap((fd) => {
      try {
        const target = readlinkSync(`${directory}/${fd}`);
        return target.startsWith('socket:') ? [] : [target];
      } catch {
        return [];
      }
    });
  }

  /** One connection per request, closed with the answer: none is left to be counted among the agent's descriptors. */
  ask(path: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      get(`${this.address}${path}`, { agent: false }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          body += text;
        });
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      }).on('error', reject);
    });
  }

  /** @throws unless the answer is 200 */
  async read(path: string): Promise<string> {
    const { status, body } = await this.ask(path);
    if (status !== 200) throw new Error(`${path} answered ${status}: ${body}`);
    return body;
  }

  async list(): Promise<readonly InstanceSummary[]> {
    // The shape is the agent's promise; what the tests read of it they compare.
    const { instances } = JSON.parse(await this.read('/instances?limit=9999')) as { instances: InstanceSummary[] };
    return instances;
  }

  async detail(id: string): Promise<InstanceDetail> {
    return JSON.parse(await this.read(`/instances/${id}`)) as InstanceDetail;
  }

  async stats(id: string): Promise<Stats> {
    return JSON.parse(await this.read(`/instances/${id}/stats`)) as Stats;
  }

  /** With what its VMM says. */
  async vmmStats(id: string): Promise<VmmStats> {
    return JSON.parse(await this.read(`/instances/${id}/stats`)) as VmmStats;
  }

  async allStats(): Promise<readonly Stats[]> {
    const { instances } = JSON.parse(await this.read('/stats')) as { instances: Stats[] };
    return instances;
  }

  /** The instance whose VMM is this process, once it is listed. */
  async find(pid: number): Promise<InstanceDetail> {
    const { id } = await eventually(`the instance of process ${pid}`, async () => (await this.list()).find((one) => one.pid === pid));
    return this.detail(id);
  }

  /** Value of one sample of /metrics, by its name and labels as printed. */
  async sample(series: string): Promise<number | undefined> {
    const line = (await this.read('/metrics')).split('\n').find((text) => text.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  }

  /** Resolves when a look at the host that began after this call has been taken over. */
  async rescanned(): Promise<void> {
    const rescans = async (): Promise<number> => (await this.sample('vmgauge_discovery_rescans_total')) ?? Number.NaN;
    // One may be under way.
    const enough = (await rescans()) + 2;
    await eventually(`rescan ${enough}`, async () => (await rescans()) >= enough);
  }
}
