import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { House } from '../../../test/house.js';
import type { InstanceRecord, Nic } from '../../model/instance.js';
import { NetworkCollector } from './network.collector.js';

const HEADS = 'Inter-|   Receive   |  Transmit\n face |bytes    packets|bytes    packets\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n';

/** Devices of one namespace by name: index, NaN for one that is on no list, and the bytes that the guest received. */
type Devices = Readonly<Record<string, readonly [index: number, bytes: number]>>;

let proc: FakeProc;
let house: House;
let changes: number;
beforeEach(() => {
  changes = 100;
  proc = new FakeProc();
  proc.addProcess(7);
  proc.addProcess(8);
  house = new House(proc.host(), (tables, host) => [new NetworkCollector(tables, host)]);
});
afterEach(async () => {
  await house.close();
  proc.close();
});

/** Both processes are in this namespace. @param announced whether the machine says that devices came or went */
function have(devices: Devices, { announced = true } = {}): void {
  const lines = Object.entries(devices).map(([name, [, bytes]]) => `${name}: ${bytes * 2} 2 0 0 0 0 0 0 ${bytes} 1 0 0 0 0 0 0\n`);
  const listed = Object.entries(devices).map(([name, [index]]) =>
    Number.isNaN(index) ? '' : `${index}    ${name} 1     0     333300000001\n`,
  );
  proc.write('7/net/dev', HEADS + lines.join(''));
  proc.write('7/net/dev_mcast', listed.join(''));
  if (announced) changes++;
  proc.write('sys/kernel/uevent_seqnum', `${changes}\n`);
}
const OFF_LIST = Number.NaN;
const taps = (...names: readonly string[]): readonly Nic[] => names.map((name) => ({ kind: 'tap', name }));
const vm = (id: string, pid: number, nics: readonly Nic[]): InstanceRecord => ({ id, process: { pid }, nics });

async function turn(...records: readonly InstanceRecord[]): Promise<void> {
  house.told.records = records;
  await house.turn();
}
const sweep = (): Promise<void> => house.collection.sweep();

const cell = (table: 'instances' | 'interfaces', json: string, row: number): number | null => {
  const value = house.tables[table].columns.find(({ metric }) => metric.json === json)?.front[row] ?? expect.fail(json);
  return Number.isNaN(value) ? null : value;
};
/** The sum of an instance. */
const total = (id = 'a'): number | null => {
  const { rows, keys } = house.tables.instances.order;
  return cell('instances', 'network_rx_bytes', rows[keys.findIndex((key) => key.id === id)]);
};
/** Its interfaces: bytes and generation. */
const interfaces = (id = 'a') => {
  const { rows, keys } = house.tables.interfaces.order;
  return [...rows].flatMap((row, i) =>
    keys[i].parent.id === id ? [[keys[i].name, cell('interfaces', 'rx_bytes', row), cell('interfaces', 'generation', row)]] : [],
  );
};
const UNKNOWN = [['tap0', null, null]];

describe('an interface whose device was made anew', () => {
  it('goes on from what it came to, once it is known to be the instance’s own', async () => {
    have({ tap0: [5, 1000] });
    await turn(vm('a', 7, taps('tap0')));
    expect([total(), interfaces()]).toEqual([1000, [['tap0', 1000, 1]]]);
    have({ tap0: [6, 10] });
    await sweep();
    expect([total(), interfaces()]).toEqual([null, UNKNOWN]);
    await turn(vm('a', 7, taps('tap0')));
    expect([total(), interfaces()]).toEqual([1010, [['tap0', 1010, 2]]]);
    have({ tap0: [6, 25] }, { announced: false });
    await sweep();
    expect([total(), interfaces()]).toEqual([1025, [['tap0', 1025, 2]]]);
  });

  it('does so where nothing tells an index, by counters that went back', async () => {
    have({ tap0: [5, 1000] });
    proc.write('7/net/dev_mcast', '');
    await turn(vm('a', 7, taps('tap0')));
    have({ tap0: [5, 10] });
    proc.write('7/net/dev_mcast', '');
    await sweep();
    expect(total()).toBeNull();
    await turn(vm('a', 7, taps('tap0')));
    expect([total(), interfaces()]).toEqual([1010, [['tap0', 1010, 2]]]);
  });

  it('is not counted although it counts more than the one before', async () => {
    have({ tap0: [5, 1000] });
    await turn(vm('a', 7, taps('tap0')));
    have({ tap0: [6, 50_000] });
    await sweep();
    await sweep();
    expect([total(), interfaces()]).toEqual([null, UNKNOWN]);
    // It was a stranger's.
    await turn(vm('a', 7, []));
    expect(total()).toBe(1000);
    have({ tap0: [7, 3] });
    await turn(vm('a', 7, taps('tap0')));
    expect([total(), interfaces()]).toEqual([1003, [['tap0', 1003, 2]]]);
  });

  it('is not counted when it was gone in between and its NICs are not known anew', async () => {
    have({ tap0: [5, 1000] });
    await turn(vm('a', 7, taps('tap0')));
    have({});
    await sweep();
    have({ tap0: [5, 1001] });
    await sweep();
    expect(total()).toBeNull();
    await turn(vm('a', 7, taps('tap0')));
    // The same device went to another namespace and came back.
    expect([total(), interfaces()]).toEqual([1001, [['tap0', 1001, 1]]]);
  });

  it('is looked for only when the machine says that some device came or went', async () => {
    have({ tap0: [5, 1000] });
    await turn(vm('a', 7, taps('tap0')));
    have({ tap0: [6, 1001] }, { announced: false });
    await sweep();
    expect(total()).toBe(1001);
    have({ tap0: [6, 1002] });
    await sweep();
    expect(total()).toBeNull();
  });

  it('is not even begun with where it is given away between the look at its VM’s descriptors and the sweep', async () => {
    const held: readonly Nic[] = [{ kind: 'tap', name: 'tap0', descriptor: 3 }];
    const holds = (name: string): void => proc.write('7/fdinfo/3', `pos:\t0\niff:\t${name}\n`);
    holds('tap0');
    have({ tap0: [5, 1000] });
    await turn(vm('a', 7, held));
    expect(total()).toBe(1000);
    have({ tap0: [6, 50_000] });
    holds('');
    await turn(vm('a', 7, [{ ...held[0] }]));
    await sweep();
    expect([total(), interfaces()]).toEqual([null, UNKNOWN]);
    have({ tap0: [7, 3] });
    holds('tap0');
    await turn(vm('a', 7, [{ ...held[0] }]));
    expect(total()).toBe(1003);
  });

  it('is counted while no list has it, for as long as its VM holds it', async () => {
    proc.write('7/fdinfo/3', 'pos:\t0\niff:\ttap0\n');
    have({ tap0: [OFF_LIST, 0] });
    await turn(vm('a', 7, [{ kind: 'tap', name: 'tap0', descriptor: 3 }]));
    for (const [index, bytes] of [
      [OFF_LIST, 10],
      [5, 20],
      [OFF_LIST, 30],
    ]) {
      have({ tap0: [index, bytes] });
      await sweep();
      expect(total()).toBe(bytes);
    }
    proc.write('7/fdinfo/3', 'pos:\t0\n');
    have({ tap0: [OFF_LIST, 40] });
    await sweep();
    expect(total()).toBeNull();
  });

  it('is looked for in every sweep where the machine does not tell', async () => {
    have({ tap0: [5, 1000] });
    rmSync(join(proc.root, 'sys/kernel/uevent_seqnum'));
    await turn(vm('a', 7, taps('tap0')));
    have({ tap0: [6, 50_000] });
    rmSync(join(proc.root, 'sys/kernel/uevent_seqnum'));
    await sweep();
    expect(total()).toBeNull();
  });

  it('is known by an index that is told later, and not by that of the next device', async () => {
    have({ tap0: [OFF_LIST, 0] });
    await turn(vm('a', 7, taps('tap0')));
    // Switched on, which is no coming or going.
    have({ tap0: [5, 1000] }, { announced: false });
    await sweep();
    expect(total()).toBe(1000);
    have({ tap0: [6, 50_000] });
    await sweep();
    expect(total()).toBeNull();
  });

  it('is not taken for the one before it where it was on no list when it came', async () => {
    for (const before of [5, OFF_LIST]) {
      await turn();
      have({ tap0: [before, 0] });
      await turn(vm('a', 7, taps('tap0')));
      have({ tap0: [OFF_LIST, 0] });
      await sweep();
      expect(total()).toBe(0);
      have({ tap0: [9, 5000] }, { announced: false });
      await sweep();
      expect(total()).toBeNull();
    }
  });

  it('begins from nothing for another VMM of the instance', async () => {
    have({ tap0: [5, 1000] });
    await turn(vm('a', 7, taps('tap0')));
    proc.removeProcess(7);
    proc.addProcess(7, { startTicks: 999_999 });
    have({ tap0: [6, 10] });
    await turn({ ...vm('a', 7, taps('tap0')), process: { pid: 7, startTicks: 999_999 } });
    expect([total(), interfaces()]).toEqual([10, [['tap0', 10, 1]]]);
  });
});

describe('sums of an instance', () => {
  it('keep what an interface came to that left, and never go back', async () => {
    have({ tap0: [5, 1000], tap1: [6, 30] });
    await turn(vm('a', 7, taps('tap0', 'tap1')));
    expect(total()).toBe(1030);
    have({ tap0: [5, 1001] });
    await sweep();
    expect(total()).toBeNull();
    await turn(vm('a', 7, taps('tap0')));
    expect(total()).toBe(1031);
    await turn(vm('a', 7, []));
    expect(total()).toBe(1031);
    have({ tap0: [5, 1002], tap1: [9, 4] });
    await turn(vm('a', 7, taps('tap1')));
    expect([total(), interfaces()]).toEqual([1035, [['tap1', 34, 2]]]);
  });

  it('count a device once that has another name by now', async () => {
    have({ tap0: [5, 1000] });
    await turn(vm('a', 7, taps('tap0')));
    have({ tap9: [5, 1200] });
    await sweep();
    await turn(vm('a', 7, taps('tap9')));
    expect([total(), interfaces()]).toEqual([1200, [['tap9', 1200, 1]]]);
  });
});

describe('a device that goes from one VM to another', () => {
  const A = vm('a', 7, taps('tap0'));
  const B = vm('b', 8, taps('tap0'));
  beforeEach(async () => {
    // One namespace.
    rmSync(join(proc.root, '8/net'), { recursive: true });
    proc.link('8/net', '../7/net');
    have({ tap0: [5, 1000] });
    await turn(A);
  });

  it('leaves to each what it counted while it was its own', async () => {
    have({ tap0: [5, 7000] }, { announced: false });
    await turn(A, B);
    expect([total('a'), total('b')]).toEqual([null, 0]);
    have({ tap0: [5, 7500] }, { announced: false });
    await sweep();
    expect([total('a'), total('b')]).toEqual([null, 500]);
    await turn(vm('a', 7, []), B);
    expect([total('a'), total('b')]).toEqual([1000, 500]);
    await turn(vm('a', 7, taps('tap0')), vm('b', 8, []));
    have({ tap0: [5, 7600] }, { announced: false });
    await sweep();
    expect([total('a'), total('b')]).toEqual([1100, 500]);
    expect(interfaces('a')).toEqual([['tap0', 1100, 2]]);
  });

  it('is remembered after the first VM has ended, in the host’s namespace', async () => {
    proc.link('1', '7');
    for (const [id, expected] of [
      ['b', 4001],
      ['c', 1],
    ] as const) {
      await turn();
      have({ tap0: [5, 4000] }, { announced: false });
      await turn({ ...B, id, process: { pid: id === 'b' ? 7 : 8 } });
      have({ tap0: [5, 4001] }, { announced: false });
      await sweep();
      expect(total(id)).toBe(expected);
    }
  });

  it('is remembered while it is on no list', async () => {
    await turn(A, vm('b', 8, taps('lo')));
    have({ tap0: [OFF_LIST, 1000] });
    await turn(vm('a', 7, []), vm('b', 8, taps('lo')));
    have({ tap0: [5, 1000] });
    await turn(vm('a', 7, []), vm('b', 8, taps('lo', 'tap0')));
    expect(interfaces('b')).toEqual([
      ['lo', 1, 1],
      ['tap0', 0, 1],
    ]);
  });

  it('stays with the one that claimed it last, for as long as nobody knows more', async () => {
    await turn(A, B);
    for (let i = 1; i <= 4; i++) {
      have({ tap0: [5, 1000 + i] }, { announced: false });
      await turn(A, B);
      expect([total('a'), total('b')]).toEqual([null, i]);
    }
    await turn(A, vm('b', 8, []));
    await turn(A, vm('b', 8, []));
    have({ tap0: [5, 1100] }, { announced: false });
    await sweep();
    expect([total('a'), total('b')]).toEqual([1096, 4]);
  });
});
