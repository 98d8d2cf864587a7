import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Host } from '../../src/host/host.js';
import type { TracingBlock } from '../../src/model/settings.js';
import { readCatalog } from '../../src/modules/events/catalog.js';
import { enrolDevice, enrolProcess, withdrawProcess } from '../../src/modules/events/doorbell.js';
import { composeScript } from '../../src/modules/events/script.js';
import type { BlockStates } from '../../src/modules/events/words.js';
import type { Belongings } from './belongings.js';
import { Child } from './child.js';

/** As `-f json` prints it: for the whole map where it has no key. */
interface Bucket {
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

/** Buckets or number by key, by map: what one telling said. */
type Telling = ReadonlyMap<string, Readonly<Record<string, number | readonly Bucket[]>>>;

/** bpftrace with the script of this kernel, and the test as its ringer. */
export class ScriptRun {
  /** What the kernel refused: a map that is full, a key that is not there. */
  readonly refusals: string[] = [];
  private latest: Telling = new Map();

  private constructor(
    private readonly child: Child,
    readonly blocks: BlockStates,
  ) {}

  /** Resolves when all probes are attached. @throws with bpftrace's complaint */
  static async start(belongings: Belongings, wanted: readonly TracingBlock[], path: string): Promise<ScriptRun> {
    const catalog = readCatalog(new Host());
    if (typeof catalog === 'string') throw new Error(`nothing can be traced here: ${catalog}`);
    const { text, blocks } = composeScript({ wanted, catalog, intervalMs: 250, ringer: process.pid });
    writeFileSync(path, text);
    const child = await Child.start(['bpftrace', '-k', '-B', 'none', '-f', 'json', path], {
      env: { BPFTRACE_MAP_KEYS_MAX: '8192' },
    });
    belongings.own(() => child.kill('SIGTERM'));
    const run = new ScriptRun(child, blocks);
    await run.telling();
    return run;
  }

  enrol(pid: number, key: number): void {
    this.ring(enrolProcess(pid, key));
  }

  enrolDevice(namespaceInode: number, ifIndex: number, key: number): void {
    this.ring(enrolDevice(namespaceInode, ifIndex, key));
  }

  withdraw(pid: number): void {
    this.ring(withdrawProcess(pid));
  }

  /** Waits for a telling that began after now: those under way, or not yet read, say nothing of what just happened. */
  async settle(): Promise<void> {
    // bpftrace's nsecs is CLOCK_MONOTONIC, which is what this is.
    const now = process.hrtime.bigint();
    while ((await this.telling()) < now);
  }

  /** @param key as printed, `1` or `1,0`. @returns undefined where the last telling has none */
  amount(map: string, key: string): number | undefined {
    const value = this.latest.get(map)?.[key];
    return typeof value === 'number' ? value : undefined;
  }

  buckets(map: string, key: string): readonly Bucket[] {
    const value = this.latest.get(map)?.[key];
    return typeof value === 'object' ? value : [];
  }

  /** How many times a histogram counted. */
  count(map: string, key: string): number {
    return this.buckets(map, key).reduce((sum, bucket) => sum + bucket.count, 0);
  }

  /** Keys of a process among those of all maps: its own, or those that begin with it. */
  mapsWith(key: number): string[] {
    return [...this.latest].flatMap(([map, values]) =>
      Object.keys(values).some((name) => name.split(',')[0] === String(key)) && map !== 'vm' && map !== 'dev' ? [map] : [],
    );
  }

  /**
   * How often the kernel left out a program of this run: while any bpf(2) call copies an entry of a map it runs none on the same CPU
   * (bpf_disable_instrumentation), be it for as long as its caller is preempted there. proc_pid_fdinfo(5) of the program, Linux 6.7.
   */
  misses(): number {
    const directory = `/proc/${this.child.pid}/fdinfo`;
    const texts = readdirSync(directory).map((fd) => readFileSync(`${directory}/${fd}`, 'latin1'));
    return texts.reduce((sum, text) => sum + Number(/^recursion_misses:\s+(\d+)/m.exec(text)?.[1] ?? 0), 0);
  }

  private ring(numbers: readonly number[]): void {
    for (const number of numbers) {
      try {
        process.kill(number, 0);
      } catch {
        // No such process: the kernel side has heard it all the same.
      }
    }
  }

  /** @returns when it began */
  private async telling(): Promise<bigint> {
    const told = new Map<string, Record<string, number | readonly Bucket[]>>();
    for (;;) {
      const text = await this.child.line();
      if (text === '') continue;
      // bpftrace(8), "-f json": an object a line, of type map, hist, printf, helper_error or attached_probes.
      const line = JSON.parse(text) as { type: string; data: string | Record<string, Record<string, number | readonly Bucket[]>> };
      if (typeof line.data === 'object') for (const [map, values] of Object.entries(line.data)) told.set(map.slice(1), values);
      if (line.type === 'helper_error') this.refusals.push(text);
      if (line.type !== 'printf') continue;
      this.latest = told;
      return BigInt(String(line.data).split(' ')[1]);
    }
  }
}
