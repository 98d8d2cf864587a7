import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';

type Value = number | string | { [name: string]: Value };
type Group = { [name: string]: Value };

/** `FcLineWriter` is Rust's LineWriter around a file: 1 KiB, and what could not be written stays in it. */
const CAPACITY = 1024;

/** std::io::LineWriter over a non-blocking descriptor, as far as serde_json uses it. */
class LineWriter {
  private buffered = Buffer.alloc(0);

  constructor(private readonly fd: number) {}

  /** @throws EAGAIN when the pipe is full; what was taken before stays and is written first the next time */
  write(text: string): void {
    const bytes = Buffer.from(text);
    const end = bytes.lastIndexOf(0x0a);
    if (end < 0) {
      if (this.buffered.at(-1) === 0x0a) this.flush();
      this.keep(bytes);
      return;
    }
    this.keep(bytes.subarray(0, end + 1));
    this.flush();
    this.keep(bytes.subarray(end + 1));
  }

  private keep(bytes: Buffer): void {
    if (this.buffered.length + bytes.length > CAPACITY) this.flush();
    this.buffered = Buffer.concat([this.buffered, bytes]);
  }

  private flush(): void {
    while (this.buffered.length > 0) this.buffered = this.buffered.subarray(writeSync(this.fd, this.buffered));
  }
}

const TEMPLATE: Group = JSON.parse(readFileSync(new URL('../fixtures/firecracker/metrics-line.json', import.meta.url), 'utf8'));
const PERIOD_MS = 60_000;

/** Members that hold a value rather than count since the last flush: SharedStoreMetric. */
const isStored = (group: string, name: string): boolean =>
  ['seccomp', 'vmm', 'latencies_us', 'api_server'].includes(group) ||
  (group === 'signals' && name !== 'sigpipe') ||
  name === 'min_us' ||
  name === 'max_us';

/**
 * Firecracker's metrics: counted up by the test, flushed as src/vmm/src/logger/metrics.rs does. What is serialised is taken as told, whether
 * or not its bytes arrive.
 */
export class FirecrackerMetricsWriter {
  readonly fd: number;
  /** By group and member, `read_agg.sum_us` for one below. Since the beginning. */
  private readonly counted = new Map<string, number>();
  private readonly told = new Map<string, number>();
  private readonly writer: LineWriter;
  private readonly groups: readonly string[];
  properties: Readonly<Record<string, string>> | undefined;

  /** @param path what is there already is written over, from its beginning. @param nowMs the VMM's clock */
  constructor(
    readonly path: string,
    public nowMs: number,
    { drives = ['rootfs'], interfaces = ['eth0'] }: { drives?: readonly string[]; interfaces?: readonly string[] } = {},
  ) {
    this.fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK, 0o644);
    this.writer = new LineWriter(this.fd);
    this.groups = Object.keys(TEMPLATE).flatMap((name) => {
      if (name === 'block_rootfs') return drives.map((id) => `block_${id}`);
      if (name === 'net_eth0') return interfaces.map((id) => `net_${id}`);
      return [name];
    });
  }

  /** Something happened so often. @param path `vcpu.exit_io_in`, `block_rootfs.read_agg.sum_us` */
  add(path: string, value: number): void {
    this.counted.set(path, this.total(path) + value);
    const [, kind, member] = /^(block|net)_[^.]+\.(.*)$/.exec(path) ?? [];
    // All devices of a kind together.
    if (kind !== undefined) this.add(`${kind}.${member}`, value);
  }

  store(path: string, value: number): void {
    this.counted.set(path, value);
  }

  /** What really happened so far. */
  total(path: string): number {
    return this.counted.get(path) ?? 0;
  }

  /** @returns false where it could not be written, which is counted for the next time */
  flush(): boolean {
    try {
      for (const [text, done] of this.serialise()) {
        this.writer.write(text);
        done?.();
      }
      this.writer.write('\n');
      return true;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      this.add('logger.missed_metrics_count', 1);
      return false;
    }
  }

  /** The timer fired so often, a minute apart. */
  minutes(count: number): void {
    for (let minute = 0; minute < count; minute++) {
      this.nowMs += PERIOD_MS;
      this.flush();
    }
  }

  close(): void {
    closeSync(this.fd);
  }

  private *serialise(): Generator<readonly [string, (() => void)?]> {
    yield ['{'];
    yield ['"utc_timestamp_ms":'];
    yield [String(this.nowMs)];
    if (this.properties) yield [`,"properties":${JSON.stringify(this.properties)}`];
    for (const group of this.groups) {
      if (group === 'utc_timestamp_ms') continue;
      yield [`,"${group}":`];
      yield* this.object(group, shapeOf(group), group);
    }
    yield ['}'];
  }

  private *object(group: string, shape: Group, path: string): Generator<readonly [string, (() => void)?]> {
    let comma = '';
    yield ['{'];
    for (const [name, member] of Object.entries(shape)) {
      yield [`${comma}"${name}":`];
      comma = ',';
      if (typeof member === 'object') yield* this.object(group, member, `${path}.${name}`);
      else yield this.number(group, name, `${path}.${name}`);
    }
    yield ['}'];
  }

  private number(group: string, name: string, path: string): readonly [string, (() => void)?] {
    const total = this.total(path);
    if (isStored(group, name)) return [String(total)];
    return [String(total - (this.told.get(path) ?? 0)), () => this.told.set(path, total)];
  }
}

function shapeOf(group: string): Group {
  const shape = TEMPLATE[group] ?? TEMPLATE[group.startsWith('block_') ? 'block_rootfs' : 'net_eth0'];
  if (typeof shape !== 'object') throw new Error(`no group ${group}`);
  return shape;
}
