import type { NicKind } from '../../model/instance.js';

/** Slots of one side's counters: what it received, then what it transmitted. */
export const Side = { rxBytes: 0, rxPackets: 1, rxErrors: 2, rxDrops: 3, txBytes: 4, txPackets: 5, txErrors: 6, txDrops: 7 } as const;
export const SIDE_LENGTH = 8;

declare const side: unique symbol;
/** Counters as /proc/net/dev prints them, seen from the host. Not assignable to `GuestCounters`. */
export type HostCounters = Float64Array & { readonly [side]: 'host' };
/** Counters as the guest's own interface would show them. */
export type GuestCounters = Float64Array & { readonly [side]: 'guest' };

// The brands exist for the compiler only; there is no other way to make one.
export const hostCounters = (): HostCounters => new Float64Array(SIDE_LENGTH) as HostCounters;
export const guestCounters = (): GuestCounters => new Float64Array(SIDE_LENGTH) as GuestCounters;

const HALF = SIDE_LENGTH / 2;

/**
 * The one place where the direction turns. What the host transmits into a tap is what the guest receives, and a frame the host could not
 * hand over (tx drop) is one that the guest did not receive. A macvtap counts frames as its own, hence the guest's, interface does.
 */
export function toGuestSide(kind: NicKind, host: HostCounters, guest: GuestCounters): void {
  const turn = kind === 'macvtap' ? 0 : HALF;
  for (let slot = 0; slot < SIDE_LENGTH; slot++) guest[slot] = host[(slot + turn) % SIDE_LENGTH];
}
