import { type GuestCounters, guestCounters, SIDE_LENGTH, Side } from './direction.js';

/** Which device an interface is. The name alone is nobody's: it may be another device's by now. */
export interface Device {
  readonly name: string;
  /** Identity of its network namespace; null where none could be found. */
  readonly namespace: string | null;
  /** NaN where nothing tells it. The kernel gives an index to one device after the other, and hardly ever twice. */
  readonly index: number;
}

/** Surely: NaN equals nothing. Under another name it is the same device all the same. */
export const isSameDevice = (a: Device, b: Device): boolean => a.namespace === b.namespace && a.index === b.index;

/** Surely. In another namespace it may be the same one, moved there with its counters. */
const isOtherDevice = (a: Device, b: Device): boolean =>
  a.namespace === b.namespace && !Number.isNaN(a.index) && !Number.isNaN(b.index) && a.index !== b.index;

const GROWING = [Side.rxBytes, Side.rxPackets, Side.txBytes, Side.txPackets] as const;

/**
 * Counters of one interface of an instance that never go back: what earlier devices of it came to, and what the kernel says of this one.
 * A reading is taken only by somebody who knows that it is of the instance's own device.
 */
export class InterfaceLedger {
  /** Counters so far as of the last reading taken; NaN where it did not tell one. */
  readonly totals: GuestCounters = guestCounters();
  /** Counts the devices that this interface was, from 1. */
  generation = 1;
  hasReading = false;
  private readonly offsets = new Float64Array(SIDE_LENGTH);
  private readonly last = new Float64Array(SIDE_LENGTH);

  constructor(public device: Device) {}

  /** Whether anything was counted since the last reading taken. */
  isBehind(reading: GuestCounters): boolean {
    for (const slot of GROWING) if (reading[slot] > this.last[slot]) return true;
    return false;
  }

  /** Whether the reading is of another device than the last one: no device's own counters go back. */
  isAhead(reading: GuestCounters): boolean {
    for (const slot of GROWING) if (reading[slot] < this.last[slot]) return true;
    return false;
  }

  /**
   * Before the first reading of a device, and whenever it is known anew which device it is. The counters of a new one began at 0; what one
   * that was somebody else's counted before this reading is theirs.
   */
  begin(device: Device, reading: GuestCounters, wasForeign: boolean): void {
    const isNew = isOtherDevice(this.device, device) || this.isAhead(reading);
    this.device = device;
    if (!isNew && !wasForeign) return;
    for (let slot = 0; slot < SIDE_LENGTH; slot++) {
      const from = wasForeign && !Number.isNaN(reading[slot]) ? reading[slot] : 0;
      this.offsets[slot] += this.last[slot] - from;
      this.last[slot] = from;
    }
    if (this.hasReading) this.generation++;
  }

  take(reading: GuestCounters): void {
    for (let slot = 0; slot < SIDE_LENGTH; slot++) {
      const now = reading[slot];
      // Of the same device: a driver that corrected itself. The sum stands still.
      if (now < this.last[slot]) this.offsets[slot] += this.last[slot] - now;
      this.totals[slot] = this.offsets[slot] + now;
      if (!Number.isNaN(now)) this.last[slot] = now;
    }
    this.hasReading = true;
  }

  /** What a counter came to; what was never told is not in it. */
  settled(slot: number): number {
    return this.offsets[slot] + this.last[slot];
  }
}
