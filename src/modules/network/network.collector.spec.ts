import { openSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { House } from '../../../test/house.js';
import { kernelSample } from '../../../test/kernel-samples.js';
import { descriptorsHeld, HeldDirectory, HeldFile } from '../../host/held.js';
import type { Nic } from '../../model/instance.js';
import { outcomeWords } from '../../model/outcome.js';
import { NetworkCollector } from './network.collector.js';

const TABLE = kernelSample('qemu-7.2-kvm/net-dev');
let proc: FakeProc;
let house: House;
let before: number;
beforeEach(() => {
  before = descriptorsHeld();
  proc = new FakeProc();
  proc.addProcess(7);
  house = new House(proc.host(), (tables, host) => [new NetworkCollector(tables, host)]);
});
afterEach(async () => {
  await house.close();
  proc.close();
  expect(descriptorsHeld()).toBe(before);
});

async function tell(nics: readonly Nic[] | undefined): Promise<void> {
  house.told.records = [{ id: 'vm-1', process: { pid: 7 }, ...(nics ? { nics } : {}) }];
  await house.turn();
}
const words = (code: number): string => Object.values(outcomeWords(code)).join(' ');
const outcome = (): string => words(house.sampler.states[0].outcome.front[house.collection.order.rows[0]]);
const total = (place: string): number =>
  house.tables.instances.columns.find(({ metric }) => metric.json === place)?.front[house.collection.order.rows[0]] ?? expect.fail(place);
const interfaces = () =>
  [...house.tables.interfaces.order.rows].map((row, i) => {
    const cell = (place: string): number =>
      house.tables.interfaces.columns.find(({ metric }) => metric.json === place)?.front[row] ?? expect.fail(place);
    return [house.tables.interfaces.order.keys[i].name, words(cell('outcome')), cell('rx_bytes'), cell('tx_bytes')];
  });
const NONE = [Number.NaN, Number.NaN];

describe('network', () => {
  it('counts a tap from the guest’s side', async () => {
    await tell([{ kind: 'tap', name: 'exptap0' }]);
    expect(interfaces()).toEqual([['exptap0', 'ok', 57782670, 1146410]]);
    expect([outcome(), total('network_rx_bytes'), total('network_tx_bytes')]).toEqual(['ok', 57782670, 1146410]);
  });

  it('adds up all interfaces', async () => {
    await tell([
      { kind: 'tap', name: 'exptap0' },
      { kind: 'macvtap', name: 'eth0' },
    ]);
    expect([outcome(), total('network_rx_bytes'), total('network_tx_bytes')]).toEqual(['ok', 57782670 + 1733622677, 1146410 + 4720643]);
  });

  it.each(['user', 'vhost-user', 'vdpa', 'passthrough', 'socket', 'other'] as const)(
    'has no numbers of a %s NIC, and no sum with it',
    async (kind) => {
      await tell([{ kind: 'tap', name: 'exptap0' }, { kind }]);
      expect(interfaces()).toContainEqual(['', 'absent unsupported', ...NONE]);
      expect(interfaces()).toContainEqual(['exptap0', 'ok', 57782670, 1146410]);
      expect([outcome(), total('network_rx_bytes'), total('network_tx_bytes')]).toEqual(['absent unsupported', ...NONE]);
    },
  );

  it('is not configured without a NIC, and unsupported where nobody knows', async () => {
    await tell([]);
    expect(outcome()).toBe('absent not_configured');
    await tell(undefined);
    expect(outcome()).toBe('absent unsupported');
  });

  it('says that a tap is gone, forgets its numbers, and finds it when it is back', async () => {
    await tell([{ kind: 'tap', name: 'exptap0' }]);
    proc.write('7/net/dev', TABLE.replace(/^ *exptap0.*\n/m, ''));
    await house.collection.sweep();
    expect(interfaces()).toEqual([['exptap0', 'absent gone', ...NONE]]);
    expect([outcome(), total('network_rx_bytes')]).toEqual(['absent gone', Number.NaN]);
    proc.write('7/net/dev', TABLE);
    await house.turn();
    expect(interfaces()).toEqual([['exptap0', 'ok', 57782670, 1146410]]);
  });

  it.each([
    ['EMFILE', 'failed busy'],
    ['EACCES', 'absent not_permitted'],
  ])('says what forbids to open the table (%s), and counts once it can be', async (code, words) => {
    const broken = vi.spyOn(HeldDirectory.prototype, 'open').mockImplementation(function (this: HeldDirectory, entry: string) {
      if (entry.endsWith('net/dev')) throw Object.assign(new Error(code), { code });
      return new HeldFile(openSync(this.path(entry), 'r'));
    });
    await tell([{ kind: 'tap', name: 'exptap0' }]);
    expect([outcome(), interfaces()]).toEqual([words, [['exptap0', words, ...NONE]]]);
    broken.mockRestore();
    if (code === 'EACCES') await tell([]);
    await tell([{ kind: 'tap', name: 'exptap0' }]);
    expect(outcome()).toBe('ok');
  });

  it('gives no number of a counter that the driver does not have', async () => {
    proc.write('7/net/dev', TABLE.replace('1146410', '18446744073709551615'));
    await tell([{ kind: 'tap', name: 'exptap0' }]);
    expect(interfaces()).toEqual([['exptap0', 'ok', 57782670, Number.NaN]]);
    expect([total('network_rx_bytes'), total('network_tx_bytes')]).toEqual([57782670, Number.NaN]);
  });

  it('keeps two NICs without a name apart', async () => {
    await tell([{ kind: 'user' }, { kind: 'user' }]);
    expect(interfaces()).toHaveLength(2);
  });
});
