import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { errno } from '../../../test/fake-process.js';
import { House } from '../../../test/house.js';
import type { Nic } from '../../model/instance.js';
import { outcomeWords } from '../../model/outcome.js';
import { ProcfsProcess } from '../procfs/held-process.js';
import { InterfacesCollector } from './interfaces.collector.js';
import { NetworkCollector } from './network.collector.js';

const SLOW_MS = 60_000;
const TAP: Nic = { kind: 'tap', name: 'exptap0' };

let proc: FakeProc;
let house: House;
beforeEach(() => {
  proc = new FakeProc();
  proc.addProcess(7);
  // Init's namespace is the host's, and so is this VM's.
  proc.link('1', '7');
  device('exptap0', { ifindex: '5', mtu: '1500', address: '02:00:00:00:00:0a' });
  house = new House(proc.host(), (tables, host) => [new NetworkCollector(tables, host), new InterfacesCollector(tables, host)]);
});
afterEach(async () => {
  await house.close();
  proc.close();
});

function device(name: string, entries: Readonly<Record<string, string>>): void {
  for (const [entry, text] of Object.entries(entries)) proc.write(`sys/class/net/${name}/${entry}`, `${text}\n`);
}
async function tell(...nics: readonly Nic[]): Promise<void> {
  house.told.records = [{ id: 'vm-1', process: { pid: 7 }, nics }];
  await house.turn();
}
const later = (): Promise<void> => {
  proc.clock.ms += SLOW_MS;
  return house.collection.sweep();
};
const outcome = (): string => Object.values(outcomeWords(house.sampler.states[1].outcome.front[house.collection.order.rows[0]])).join(' ');
const facts = () => {
  const { order, columns } = house.tables.interfaces;
  const mtu = columns.find(({ metric }) => metric.json === 'mtu_bytes') ?? expect.fail();
  return [...order.rows].map((row, i) => [order.keys[i].name, mtu.front[row], order.keys[i].words]);
};

describe('interfaces', () => {
  it('says what the host knows of an interface, in the row that it is counted in', async () => {
    await tell(TAP);
    expect([outcome(), facts()]).toEqual(['ok', [['exptap0', 1500, { hostMac: '02:00:00:00:00:0a' }]]]);
    device('exptap0', { mtu: '9000' });
    await later();
    expect(facts()).toEqual([['exptap0', 9000, { hostMac: '02:00:00:00:00:0a' }]]);
  });

  it('keeps its row and what is in it while its VM gets another one, of which it says at once what it knows', async () => {
    await tell(TAP);
    const [row] = house.tables.interfaces.order.rows;
    device('eth0', { ifindex: '2', mtu: '1400' });
    await tell(TAP, { kind: 'tap', name: 'eth0' });
    expect(facts()).toEqual([
      ['eth0', 1400, undefined],
      ['exptap0', 1500, { hostMac: '02:00:00:00:00:0a' }],
    ]);
    expect(house.tables.interfaces.order.rows).toContain(row);
  });

  it('knows nothing of one in another namespace, whatever the host has under its name', async () => {
    proc.addProcess(8);
    house.told.records = [{ id: 'vm-1', process: { pid: 8 }, nics: [TAP] }];
    await house.turn();
    expect([outcome(), facts()]).toEqual(['absent unsupported', [['exptap0', Number.NaN, undefined]]]);
  });

  it('knows nothing of one that is another device than the one sysfs shows', async () => {
    proc.write('7/net/dev_mcast', '6    exptap0         1     0     333300000001\n');
    await tell(TAP);
    expect([outcome(), facts()]).toEqual(['absent unsupported', [['exptap0', Number.NaN, undefined]]]);
    device('exptap0', { ifindex: '6' });
    await later();
    expect(outcome()).toBe('ok');
  });

  it('knows nothing of one that is not there, nor of a kind that has none, and the rest of the others', async () => {
    await tell(TAP, { kind: 'tap', name: 'eth0' }, { kind: 'user' });
    expect(outcome()).toBe('absent unsupported');
    expect(facts()).toEqual([
      ['', Number.NaN, undefined],
      ['eth0', Number.NaN, undefined],
      ['exptap0', 1500, { hostMac: '02:00:00:00:00:0a' }],
    ]);
  });

  it('says nothing of a device that is gone, however long its next turn takes', async () => {
    await tell(TAP);
    await later();
    proc.write('7/net/dev', 'a\nb\n    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n');
    await house.collection.sweep();
    expect(facts()).toEqual([['exptap0', Number.NaN, undefined]]);
  });

  it('asks for no path that a name would make', async () => {
    proc.write('7/net/dev', 'a\nb\n../x: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n');
    device('../x', { ifindex: '5', mtu: '1500' });
    await tell({ kind: 'tap', name: '../x' });
    expect([outcome(), facts()]).toEqual(['absent gone', [['../x', Number.NaN, undefined]]]);
  });

  it('says why nobody knows of any: we may not look', async () => {
    const counts = vi.spyOn(ProcfsProcess.prototype, 'descriptorCount').mockImplementation(() => {
      throw errno('EACCES');
    });
    house.told.records = [{ id: 'vm-1', process: { pid: 7 } }];
    await house.turn();
    counts.mockRestore();
    expect(outcome()).toBe('absent not_permitted');
  });

  it('is not configured without an interface, nor without the collector that finds them', async () => {
    await tell();
    expect(outcome()).toBe('absent not_configured');
    const alone = new House(proc.host(), (tables, host) => [new InterfacesCollector(tables, host)]);
    alone.told.records = [{ id: 'vm-1', process: { pid: 7 }, nics: [TAP] }];
    await alone.turn();
    expect(outcomeWords(alone.sampler.states[0].outcome.front[alone.collection.order.rows[0]]).reason).toBe('not_configured');
    await alone.close();
  });
});
