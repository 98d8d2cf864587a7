import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { House } from '../../../test/house.js';
import { descriptorsHeld } from '../../host/held.js';
import type { Collector, Subject } from '../../model/collector.js';
import type { Companion, InstanceRecord, Sandbox } from '../../model/instance.js';
import { gauge, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import type { Column } from '../../model/table.js';
import type { Tables } from '../../model/tables.js';

/** Reads the shim's start time and writes it into the sandbox's row. */
class ShimReader implements Collector {
  readonly about = { name: 'shim_reader', tier: 'sweep', reads: 'nothing', enabled: true } as const;
  readonly metrics = [];
  readonly sandboxMetrics = [
    metric({ json: 'shim.started', family: gauge({ name: 'test_shim_started', help: 'Start.', identity: 'sandbox' }) }),
  ];
  readonly column: Column;
  readonly turns: string[] = [];
  told = 0;

  constructor(tables: Tables) {
    this.column = tables.sandboxes.column(this.sandboxMetrics[0]);
  }
  concerns({ sandboxRow }: Subject): boolean {
    return sandboxRow >= 0;
  }
  devices(): void {
    this.told++;
  }
  collect(subject: Subject): Outcome {
    this.turns.push(subject.id);
    this.column.back[subject.sandboxRow] = 7;
    const shim = subject.companion('shim');
    if (!shim) return Outcome.gone;
    this.column.back[subject.sandboxRow] = shim.startTicks;
    return Outcome.ok;
  }
}

const SANDBOX: Sandbox = { runtime: 'go', vmmInShim: false };
const shim = (pid: number, startTicks = pid): Companion => ({ role: 'shim', pid, startTicks });

let proc: FakeProc;
let house: House;
let reader: ShimReader;
let before: number;
beforeEach(() => {
  before = descriptorsHeld();
  proc = new FakeProc();
  house = new House(proc.host(), (tables) => {
    reader = new ShimReader(tables);
    return [reader];
  });
  for (const pid of [100, 200, 300]) proc.addProcess(pid, { startTicks: pid });
});
afterEach(async () => {
  await house.close();
  proc.close();
  expect(descriptorsHeld()).toBe(before);
  expect(house.defects).toEqual([]);
});

async function see(...records: readonly Partial<InstanceRecord>[]): Promise<void> {
  house.told.records = records.map((record) => ({ id: 'box', process: { pid: 100 }, ...record }));
  await house.turn();
}
const box = () => house.registry.get('box');
const cells = (): number[] => [...house.tables.sandboxes.order.rows].map((row) => reader.column.front[row]);

describe('a sandbox', () => {
  it('has a row of its own and its shim beside it, held by pid and start time', async () => {
    await see({ sandbox: SANDBOX, companions: [shim(200)] });
    expect(box().companion('shim')).toMatchObject({ pid: 200, startTicks: 200 });
    expect(box().companion('virtiofsd')).toBeNull();
    expect(cells()).toEqual([200]);
  });

  it('has no shim where the pid is another process by now, and empty cells', async () => {
    await see({ sandbox: SANDBOX, companions: [shim(200, 199)] });
    expect(box().companion('shim')).toBeNull();
    expect(cells()).toEqual([Number.NaN]);
  });

  it('gets another shim with the next sweep after the rescan that found it', async () => {
    await see({ sandbox: SANDBOX, companions: [shim(200)] });
    const first = box().companion('shim');
    house.told.records = [{ id: 'box', process: { pid: 100 }, sandbox: SANDBOX, companions: [shim(300)] }];
    await house.registry.rescan();
    expect(box().companion('shim')).toBe(first);
    await house.collection.sweep();
    expect(cells()).toEqual([300]);
    expect(reader.told).toBe(1);
  });

  it('keeps its shim, and is not told of a change, while nothing changes', async () => {
    await see({ sandbox: SANDBOX, companions: [shim(200)] });
    const first = box().companion('shim');
    await see({ sandbox: SANDBOX, companions: [shim(200)] });
    expect(box().companion('shim')).toBe(first);
    expect(reader.told).toBe(0);
  });

  it('has the shim itself as its process where the VMM is inside, and holds it once', async () => {
    await see({ sandbox: { ...SANDBOX, vmmInShim: true }, companions: [shim(100)] });
    expect(box().companion('shim')).toBe(box().process);
    await see({ sandbox: { ...SANDBOX, vmmInShim: true }, companions: [shim(100)], process: { pid: 300 } });
    expect(box().process?.pid).toBe(300);
    expect(box().companion('shim')?.pid).toBe(100);
  });

  it('takes its shim along when its VMM is another one', async () => {
    await see({ sandbox: SANDBOX, companions: [shim(200)] });
    await see({ sandbox: SANDBOX, companions: [shim(200)], process: { pid: 300 } });
    expect(box().companion('shim')?.pid).toBe(200);
    expect(cells()).toEqual([200]);
    expect(box().generation).toBe(2);
  });

  it('becomes one when its files are found after its VMM, and its collectors have their turn at once', async () => {
    await see({});
    expect(reader.turns).toEqual([]);
    expect(house.sampler.states[0].outcome.front[box().row]).toBeNaN();
    expect(house.tables.sandboxes.size).toBe(0);
    await see({ sandbox: SANDBOX, companions: [shim(200)] });
    expect(cells()).toEqual([200]);
  });

  it('stays one when its files are gone before its VMM', async () => {
    await see({ sandbox: SANDBOX, companions: [shim(200)] });
    await see({});
    expect(house.tables.sandboxes.size).toBe(1);
    expect(cells()).toEqual([Number.NaN]);
  });

  it('shows nothing more of a collector that does not concern it any more', async () => {
    await see({ sandbox: SANDBOX, companions: [shim(200)] });
    reader.concerns = () => false;
    await house.collection.sweep();
    const { row } = box();
    expect(cells()).toEqual([Number.NaN]);
    for (const column of [house.sampler.states[0].outcome, house.sampler.states[0].success]) expect(column.front[row]).toBeNaN();
  });

  it('gives back its row and its shim with its VMM', async () => {
    await see({ sandbox: SANDBOX, companions: [shim(200)] });
    proc.addProcess(100, { startTicks: 100, state: 'Z' });
    await house.collection.sweep();
    expect(box().companion('shim')).toBeNull();
    expect(house.tables.sandboxes.size).toBe(0);
    expect(descriptorsHeld()).toBe(before);
  });

  it('leaves nothing held when it is forgotten between the rescan that found its shim and the next sweep', async () => {
    await see({ sandbox: SANDBOX });
    house.told.records = [{ id: 'box', process: { pid: 100 }, sandbox: SANDBOX, companions: [shim(200)] }];
    await house.registry.rescan();
    house.told.records = [];
    await house.registry.rescan();
    await house.collection.sweep();
    expect(descriptorsHeld()).toBe(before);
  });
});

describe('an instance that is no sandbox', () => {
  it('has no turn, no outcome and no row', async () => {
    await see({ id: 'vm' });
    expect(reader.turns).toEqual([]);
    expect(house.tables.sandboxes.size).toBe(0);
  });
});
