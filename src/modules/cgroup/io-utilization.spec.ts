import { describe, expect, it } from 'vitest';
import { IO_LIMITS, type IoLimit, noNumbers } from './io-stat.js';
import { IoUtilizations } from './io-utilization.js';

interface Fake {
  readonly name: string;
  counters: Partial<Record<IoLimit, number>>;
  limits: Partial<Record<IoLimit, number>>;
}
const fake = (name: string, limits: Fake['limits']): Fake => ({ name, counters: noNumbers(IO_LIMITS), limits });
const none = Number.NaN;

function look(uses: IoUtilizations<Fake>, devices: readonly Fake[], at: number) {
  const cells = devices.map((device) => ({
    device,
    counter: (word: IoLimit) => device.counters[word] ?? none,
    limit: (word: IoLimit) => device.limits[word] ?? none,
  }));
  const { ratio, of, device, bytesPerSecond } = uses.look(cells, at);
  return [ratio, of, device?.name ?? null, bytesPerSecond];
}

describe('utilization of devices', () => {
  it('is the highest over devices and what is limited there, held against the time that passed', () => {
    const uses = new IoUtilizations<Fake>();
    const [one, other] = [fake('sda', { readBytes: 1000, writeOperations: 10 }), fake('sdb', { writeBytes: 500 })];
    one.counters = { readBytes: 0, writeOperations: 0 };
    other.counters = { writeBytes: 0 };
    expect(look(uses, [one, other], 1000)).toEqual([none, null, null, 500]);
    one.counters = { readBytes: 500, writeOperations: 2 };
    other.counters = { writeBytes: 1000 };
    expect(look(uses, [one, other], 3000)).toEqual([1, 'writeBytes', 'sdb', 500]);
    one.counters = { readBytes: 500, writeOperations: 42 };
    expect(look(uses, [one, other], 5000)).toEqual([2, 'writeOperations', 'sda', 500]);
    one.counters = { readBytes: 3500, writeOperations: 42 };
    expect(look(uses, [one, other], 6000)).toEqual([3, 'readBytes', 'sda', 1000]);
  });

  it('is none without a limit, of a counter that went back, that is not told, of no time and of a device that is new', () => {
    const uses = new IoUtilizations<Fake>();
    const device = fake('sda', {});
    device.counters = { readBytes: 10 };
    look(uses, [device], 1000);
    device.counters = { readBytes: 20 };
    expect(look(uses, [device], 2000)).toEqual([none, null, null, none]);
    device.limits = { readBytes: 10 };
    device.counters = { readBytes: 19 };
    expect(look(uses, [device], 3000)).toEqual([none, null, null, 10]);
    device.counters = {};
    expect(look(uses, [device], 4000)).toEqual([none, null, null, 10]);
    device.counters = { readBytes: 30 };
    expect(look(uses, [device], 5000)).toEqual([none, null, null, 10]);
    expect(look(uses, [device], 5000)).toEqual([none, null, null, 10]);
    expect(look(uses, [device], 6000)).toEqual([0, 'readBytes', 'sda', 10]);
    uses.forget();
    expect(look(uses, [device], 7000)).toEqual([none, null, null, 10]);
    expect(look(uses, [{ ...device }], 8000)).toEqual([none, null, null, 10]);
  });
});
