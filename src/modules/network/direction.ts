import type { NicKind } from '../../model/instance.js';

/**
 * Slots of one side's counters: what it received, then what it transmitted. /proc/net/dev has a column for received multicast frames alone;
 * the slot of the transmitted ones is there for the turning.
 */
export const Side = {
  rxBytes: 0,
  rxPackets: 1,
  rxErrors: 2,
  rxDrops: 3,
  rxMulticast: 4,
  txBytes: 5,
  txPackets: 6,
  txErrors: 7,
  txDrops: 8,
  txMulticast: 9,
} as const;
export const SIDE_LENGTH = 10;

declare const side: unique symbol;
/** Counters as /proc/net/dev prints them, seen from the host. Not assignable to `GuestCounters`. */
export type HostCounters = Float64Array & { readonly [side]: 'host' };
/** Counters as the guest's own interface would show them. */
export type GuestCounters = Float64Array & { readonly [side]: 'guest' };

// The brands exist for the compiler only; there is no other way to make one. NaN: nobody said anything yet.
export const hostCounters = (): HostCounters => new Float64Array(SIDE_LENGTH).fill(Number.NaN) as HostCounters;
export const guestCounters = (): GuestCounters => new Float64Array(SIDE_LENGTH).fill(Number.NaN) as GuestCounters;

const HALF = SIDE_LENGTH / 2;

/**
 * Kinds whose host interface counts the guest's frames. `mirrored`: what the host transmits into a tap, or into its own end of a veth pair,
 * is what the guest receives. `own`: a macvtap counts frames as its own, hence the guest's, interface does.
 */
const COUNTED: Readonly<Partial<Record<NicKind, 'mirrored' | 'own'>>> = { tap: 'mirrored', veth: 'mirrored', macvtap: 'own' };

export const isCounted = (kind: NicKind): boolean => COUNTED[kind] !== undefined;

/**
 * The one place where the direction of a device's counters turns. A frame that the host could not hand over (tx drop) is one that the guest did not receive.
 * tun and veth never count multicast: their column is always 0, which nobody counted. macvlan counts it, broadcast included.
 */
export function toGuestSide(kind: NicKind, host: HostCounters, guest: GuestCounters): void {
  const isOwn = COUNTED[kind] === 'own';
  const turn = isOwn ? 0 : HALF;
  for (let slot = 0; slot < SIDE_LENGTH; slot++) guest[slot] = host[(slot + turn) % SIDE_LENGTH];
  if (!isOwn) guest[Side.rxMulticast] = guest[Side.txMulticast] = Number.NaN;
}
