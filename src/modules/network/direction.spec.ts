import { describe, expect, expectTypeOf, it } from 'vitest';
import { NIC_KINDS } from '../../model/instance.js';
import {
  type GuestCounters,
  guestCounters,
  type HostCounters,
  hostCounters,
  isCounted,
  SIDE_LENGTH,
  Side,
  toGuestSide,
} from './direction.js';

/** Each slot its own number. */
function host(): HostCounters {
  const counters = hostCounters();
  for (let slot = 0; slot < SIDE_LENGTH; slot++) counters[slot] = 100 + slot;
  return counters;
}

function turned(kind: (typeof NIC_KINDS)[number]): GuestCounters {
  const guest = guestCounters();
  toGuestSide(kind, host(), guest);
  return guest;
}

describe('the two sides', () => {
  it('cannot be mixed: the compiler refuses one for the other', () => {
    expectTypeOf<HostCounters>().not.toExtend<GuestCounters>();
    expectTypeOf<GuestCounters>().not.toExtend<HostCounters>();
    expectTypeOf<Float64Array>().not.toExtend<GuestCounters>();
    // @ts-expect-error the host's counters are no guest's
    const mixed: GuestCounters = host();
    // @ts-expect-error nor can they be given in the wrong order
    toGuestSide('tap', mixed, host());
    expect(mixed).toHaveLength(SIDE_LENGTH);
  });
});

describe('toGuestSide', () => {
  it.each(['tap', 'veth'] as const)('makes of what the host transmits into a %s what the guest receives', (kind) => {
    const guest = turned(kind);
    for (const word of ['Bytes', 'Packets', 'Errors', 'Drops'] as const) {
      expect(guest[Side[`rx${word}`]]).toBe(host()[Side[`tx${word}`]]);
      expect(guest[Side[`tx${word}`]]).toBe(host()[Side[`rx${word}`]]);
    }
  });

  it('leaves a macvtap as it is, whose counters are the guest’s already', () => {
    expect([...turned('macvtap')]).toEqual([...host()]);
  });

  it('keeps an unknown counter unknown', () => {
    const from = host();
    from[Side.txDrops] = Number.NaN;
    const guest = guestCounters();
    toGuestSide('tap', from, guest);
    expect(guest[Side.rxDrops]).toBeNaN();
    expect(guest[Side.txDrops]).toBe(from[Side.rxDrops]);
  });

  it('loses and invents nothing, whatever the kind, but multicast where nobody counts it', () => {
    const multicast: readonly number[] = [Side.rxMulticast, Side.txMulticast];
    const rest = (counters: Float64Array): number[] => [...counters.filter((_, slot) => !multicast.includes(slot))].sort();
    for (const kind of NIC_KINDS) {
      expect(rest(turned(kind))).toEqual(rest(host()));
      for (const slot of multicast) expect(turned(kind)[slot]).toBe(kind === 'macvtap' ? host()[slot] : Number.NaN);
    }
  });

  it('knows which kinds are counted at all', () => {
    expect(NIC_KINDS.filter(isCounted)).toEqual(['tap', 'macvtap', 'veth']);
  });
});
