import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { House } from '../../../test/house.js';
import type { Collector, Subject } from '../../model/collector.js';
import { gauge, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import type { Column } from '../../model/table.js';
import type { Tables } from '../../model/tables.js';

const SIZE = metric({ json: 'size', family: gauge({ name: 'test_disk_size', help: 'Size.', identity: 'disk' }) });

/** One disk an instance, for as long as the test says so. */
class DiskReader implements Collector {
  readonly about = { name: 'disk_reader', tier: 'sweep', reads: 'nothing', enabled: true } as const;
  readonly metrics = [];
  readonly partMetrics = { disks: [SIZE] };
  readonly column: Column;
  private readonly rows = new Map<Subject, number>();
  outcome: Outcome = Outcome.ok;
  isConcerned = true;
  cleared = 0;

  constructor(private readonly tables: Tables) {
    this.column = tables.disks.column(SIZE);
  }
  concerns(): boolean {
    return this.isConcerned;
  }
  collect(parent: Subject): Outcome {
    const row = this.rows.get(parent) ?? this.tables.disks.add({ parent, place: 0, name: 'vda' });
    this.rows.set(parent, row);
    this.column.back[row] = 7;
    return this.outcome;
  }
  clear(parent: Subject): void {
    this.cleared++;
    const row = this.rows.get(parent);
    if (row !== undefined) this.tables.disks.remove(row);
    this.rows.delete(parent);
  }
}

let proc: FakeProc;
let house: House;
let reader: DiskReader;
beforeEach(async () => {
  proc = new FakeProc();
  house = new House(proc.host(), (tables) => {
    reader = new DiskReader(tables);
    return [reader];
  });
  proc.addProcess(100, { startTicks: 100 });
  house.told.records = [{ id: 'vm-100', process: { pid: 100 } }];
  await house.turn();
});
afterEach(async () => {
  await house.close();
  proc.close();
});
const disks = (): string[] => house.tables.disks.order.keys.map(({ name }) => name);

it('parts stand beside their instance', () => {
  expect(disks()).toEqual(['vda']);
  expect(reader.cleared).toBe(0);
});

it.each([Outcome.gone, Outcome.timeout])('an outcome that is not ok (%d) leaves no part behind', async (outcome) => {
  reader.outcome = outcome;
  await house.collection.sweep();
  expect(disks()).toEqual([]);
  reader.outcome = Outcome.ok;
  await house.collection.sweep();
  expect(disks()).toEqual(['vda']);
});

it('an instance that does not concern the collector any more has no part, and is cleared once', async () => {
  reader.isConcerned = false;
  await house.collection.sweep();
  await house.collection.sweep();
  expect(disks()).toEqual([]);
  expect(reader.cleared).toBe(1);
});

it('a defect in the clearing costs the collector nothing but a count', async () => {
  reader.clear = () => {
    throw new TypeError('a defect');
  };
  reader.outcome = Outcome.gone;
  await house.collection.sweep();
  const [state] = house.sampler.states;
  expect([state.unexpected, state.outcome.front[house.collection.order.rows[0]]]).toEqual([1, Outcome.gone]);
});

it('a defect in the question whom it concerns costs the collector its turn and nobody else anything', async () => {
  reader.concerns = () => {
    throw new TypeError('a defect');
  };
  await house.collection.sweep();
  const [state] = house.sampler.states;
  expect([state.unexpected, state.outcome.front[house.collection.order.rows[0]]]).toEqual([1, Outcome.ioError]);
  expect(disks()).toEqual([]);
});

it('has no cells of its own while a collector concerns nobody, and has them from its first turn on', async () => {
  await house.close();
  house = new House(proc.host(), (tables) => {
    reader = new DiskReader(tables);
    reader.isConcerned = false;
    return [reader];
  });
  house.told.records = [{ id: 'vm-100', process: { pid: 100 } }];
  await house.turn();
  const [state] = house.sampler.states;
  const { outcome, success } = state;
  const [row] = house.collection.order.rows;
  expect([state.isAsleep, outcome.isAsleep, outcome.front === success.front, outcome.front[row]]).toEqual([true, true, true, Number.NaN]);
  reader.isConcerned = true;
  await house.collection.sweep();
  expect([state.isAsleep, outcome.isAsleep, outcome.front[row], success.front[row]]).toEqual([false, false, Outcome.ok, 1]);
  reader.isConcerned = false;
  await house.collection.sweep();
  expect([outcome.isAsleep, outcome.front[row], success.front[row]]).toEqual([false, Number.NaN, Number.NaN]);
});
