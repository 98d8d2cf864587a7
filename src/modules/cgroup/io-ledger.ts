import type { IoReading } from './io-group.js';
import { type DeviceNumbers, IO_COUNTERS, IO_LIMITS, type IoCounter, type IoLimit, noNumbers } from './io-stat.js';

/** One device of one VM. */
export interface DeviceIo {
  readonly name: string;
  /** `major:minor`. */
  readonly number: string;
  /** Since the VM's process is known; NaN where the kernel never told. */
  readonly totals: DeviceNumbers<IoCounter>;
  readonly limits: DeviceNumbers<IoLimit>;
}

interface Entry extends DeviceIo {
  number: string;
  limits: DeviceNumbers<IoLimit>;
}

/** What the kernel said last of one number, whatever the name of the device was; NaN where it said nothing. */
interface Said {
  last: DeviceNumbers<IoCounter>;
  isAbsent: boolean;
}

/** What one VM may have used: a bound for what is remembered of it. */
const MOST_DEVICES = 512;
const NO_COUNTERS: DeviceNumbers<IoCounter> = noNumbers(IO_COUNTERS);
const NO_LIMITS: DeviceNumbers<IoLimit> = noNumbers(IO_LIMITS);

/**
 * What one VM did at block devices, as counters that never go back. At the first look they are what its cgroup had counted by then; of a cgroup
 * that it comes into later only counts what that counts from there on. The kernel forgets what was done at a device that nobody uses: it counts from 0 when
 * somebody does again, and until then the last total stands.
 */
export class IoLedger {
  private readonly entries = new Map<string, Entry>();
  private readonly said = new Map<string, Said>();
  private group: unknown = null;
  private taken: IoReading | null = null;
  private looks = 0;

  /** @param group another object, or name, for another cgroup @param nameOf a device by its number; two devices may have one name in turn @returns whether anything is new */
  take(group: unknown, reading: IoReading, nameOf: (number: string) => string): boolean {
    if (this.taken === reading && this.group === group) return false;
    const isFirst = this.looks === 0;
    const isOther = !isFirst && this.group !== group;
    this.looks++;
    this.taken = reading;
    this.group = group;
    const seen = new Set<Entry>();
    const numbers = new Set([...reading.counters.keys(), ...reading.limits.keys()]);
    for (const number of numbers) {
      const now = reading.counters.get(number);
      const said = this.saidOf(number);
      // What it had counted by now the VM did not do, or did before it was known.
      if (isOther) said.last = now ?? NO_COUNTERS;
      const name = nameOf(number);
      const holder = this.entries.get(name)?.number;
      // Two of one name at once, of which one is about to go: the one that has it keeps it.
      if (holder !== undefined && holder !== number && numbers.has(holder) && nameOf(holder) === name) continue;
      const entry = this.entry(name, number);
      if (!entry) continue;
      seen.add(entry);
      if (now) add(entry.totals, said, now);
      else said.isAbsent = true;
      entry.limits = reading.limits.get(number) ?? NO_LIMITS;
    }
    for (const entry of this.entries.values()) if (!seen.has(entry)) entry.limits = NO_LIMITS;
    for (const [number, said] of this.said) {
      if (numbers.has(number)) continue;
      said.isAbsent = true;
      if (isOther) said.last = NO_COUNTERS;
    }
    return true;
  }

  /** In the order in which they were seen first. */
  get devices(): Iterable<DeviceIo> {
    return this.entries.values();
  }

  private entry(name: string, number: string): Entry | undefined {
    const known = this.entries.get(name);
    if (!known && this.entries.size >= MOST_DEVICES) return undefined;
    const entry = known ?? { name, number, totals: noNumbers(IO_COUNTERS), limits: NO_LIMITS };
    entry.number = number;
    this.entries.set(name, entry);
    return entry;
  }

  private saidOf(number: string): Said {
    const said = this.said.get(number) ?? { last: NO_COUNTERS, isAbsent: true };
    if (!this.said.has(number) && this.said.size >= MOST_DEVICES) {
      const [oldest] = [...this.said].find(([, { isAbsent }]) => isAbsent) ?? [];
      // Where all are in use the entries are as many: it is not counted anyway.
      if (oldest === undefined) return said;
      this.said.delete(oldest);
    }
    this.said.set(number, said);
    return said;
  }
}

function add(totals: DeviceNumbers<IoCounter>, said: Said, now: DeviceNumbers<IoCounter>): void {
  const { last, isAbsent } = said;
  const next = { ...last };
  for (const word of IO_COUNTERS) {
    const value = now[word];
    if (Number.isNaN(value)) continue;
    totals[word] = (Number.isNaN(totals[word]) ? 0 : totals[word]) + growthOf(value, last[word], isAbsent);
    next[word] = value;
  }
  said.last = next;
  said.isAbsent = false;
}

/** What went back while it was in sight is a correction, or begins anew at a number that nobody knows: only what it grows by from there counts. */
function growthOf(value: number, last: number, wasAbsent: boolean): number {
  if (Number.isNaN(last)) return value;
  if (value >= last) return value - last;
  return wasAbsent ? value : 0;
}
