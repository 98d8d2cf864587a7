import type { TracingSession } from '../src/modules/events/session.js';
import { statesOf } from '../src/modules/events/trace-source.js';
import type { BlockStates } from '../src/modules/events/words.js';

/** Lines as `bpftrace -f json` prints them. */
export const TICK = '{"type": "printf", "data": "tick 1234567890123\\n"}';

/** A histogram as the kernel side counts it: of `(ns - 1) / 3125`, in powers of two, with zeros between the lowest and the highest. */
export function histOf(nanoseconds: readonly number[]): string {
  const counts = new Map<number, number>();
  for (const ns of nanoseconds) {
    const value = Math.floor((ns - 1) / 3125);
    const power = value <= 0 ? Math.min(value, 0) : Math.floor(Math.log2(value)) + 1;
    counts.set(power, (counts.get(power) ?? 0) + 1);
  }
  const powers = [...counts.keys()];
  const buckets: string[] = [];
  for (let power = Math.min(...powers); power <= Math.max(...powers); power++) {
    const words = power < 0 ? '"max": -1' : `"min": ${power === 0 ? 0 : 2 ** (power - 1)}, "max": ${2 ** power - 1}`;
    buckets.push(`{${words}, "count": ${counts.get(power) ?? 0}}`);
  }
  return `[${buckets.join(', ')}]`;
}

const line = (type: 'hist' | 'map', map: string, entries: readonly string[]): string =>
  `{"type": "${type}", "data": {"@${map}": {${entries.join(', ')}}}}`;

export const hist = (map: string, entries: Readonly<Record<string, readonly number[]>>): string =>
  line(
    'hist',
    map,
    Object.entries(entries).map(([key, values]) => `"${key}": ${histOf(values)}`),
  );

export const numbers = (map: string, entries: Readonly<Record<string, number | bigint>>): string =>
  line(
    'map',
    map,
    Object.entries(entries).map(([key, value]) => `"${key}": ${value}`),
  );

export const ALL_ON: BlockStates = statesOf((block) => (block === 'plain-files' ? 'not_wanted' : null));

/** A life of the program, whose kernel side is the test. */
export class FakeSession implements TracingSession {
  readonly rung: number[][] = [];
  renewals = 0;
  /** Called at each ring, before it is written down. */
  heard: (numbers: readonly number[]) => void = () => undefined;

  constructor(
    readonly slots = 1024,
    readonly blocks: BlockStates = ALL_ON,
  ) {}

  ring(numbers: readonly number[]): void {
    this.heard(numbers);
    this.rung.push([...numbers]);
  }

  renew(): void {
    this.renewals++;
  }

  /** Keys that were rung for a process, the last one last. */
  keysOf(pid: number): number[] {
    return this.rung.filter(([, number]) => number === pid).map(([word]) => word % 2 ** 28);
  }
}
