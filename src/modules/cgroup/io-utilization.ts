import { IO_LIMITS, type IoLimit } from './io-stat.js';

/** What is limited at one device, and how far it was used up between two looks. */
interface Use {
  readonly limit: number;
  /** NaN before the second look, and where a counter went back. */
  readonly ratio: number;
}

/** How near a VM is to its limits at block devices. Of what is not known the numbers are NaN. */
export interface IoUtilization<Device> {
  /** Whether there is a limit anywhere. */
  readonly isLimited: boolean;
  /** The highest over devices and what is limited there. */
  readonly ratio: number;
  readonly of: IoLimit | null;
  readonly device: Device | null;
  /** The limit of bytes a second that is used up most, or the least where none is used. */
  readonly bytesPerSecond: number;
}

export interface DeviceCells<Device> {
  /** The same object at each look. */
  readonly device: Device;
  counter(word: IoLimit): number;
  limit(word: IoLimit): number;
}

/** The growth of the counters of one VM between two looks, held against the limits of the second. */
export class IoUtilizations<Device extends object> {
  private last = new Map<Device, Record<IoLimit, number>>();
  private at = Number.NaN;

  /** @param at monotonic milliseconds of the reading */
  look(devices: Iterable<DeviceCells<Device>>, at: number): IoUtilization<Device> {
    const seconds = (at - this.at) / 1000;
    const now = new Map<Device, Record<IoLimit, number>>();
    let isLimited = false;
    let most: Use | null = null;
    let mostOf: IoLimit | null = null;
    let mostAt: Device | null = null;
    let bytes: Use | null = null;
    for (const { device, counter, limit } of devices) {
      const before = this.last.get(device);
      const values = { readBytes: Number.NaN, writeBytes: Number.NaN, readOperations: Number.NaN, writeOperations: Number.NaN };
      now.set(device, values);
      for (const word of IO_LIMITS) {
        values[word] = counter(word);
        const use = { limit: limit(word), ratio: ratioOf(values[word] - (before?.[word] ?? Number.NaN), seconds, limit(word)) };
        if (Number.isNaN(use.limit)) continue;
        isLimited = true;
        if (!Number.isNaN(use.ratio) && (!most || use.ratio > most.ratio)) {
          most = use;
          mostOf = word;
          mostAt = device;
        }
        if ((word === 'readBytes' || word === 'writeBytes') && isTighter(use, bytes)) bytes = use;
      }
    }
    this.last = now;
    this.at = at;
    return { isLimited, ratio: most?.ratio ?? Number.NaN, of: mostOf, device: mostAt, bytesPerSecond: bytes?.limit ?? Number.NaN };
  }

  /** Nothing was read: the next look is a first one. */
  forget(): void {
    this.last.clear();
  }
}

/** @returns NaN for no time, no limit, an unknown growth and one that goes back */
export function ratioOf(growth: number, seconds: number, perSecond: number): number {
  return growth >= 0 && seconds > 0 && perSecond > 0 ? growth / seconds / perSecond : Number.NaN;
}

function isTighter(one: Use, other: Use | null): boolean {
  if (!other) return true;
  const [a, b] = [one.ratio, other.ratio].map((ratio) => (Number.isNaN(ratio) ? -1 : ratio));
  return a > b || (a === b && one.limit < other.limit);
}
