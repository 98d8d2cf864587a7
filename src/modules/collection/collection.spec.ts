import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc, statLine } from '../../../test/fake-proc.js';
import { House } from '../../../test/house.js';
import { Spawned } from '../../../test/spawned.js';
import { descriptorsHeld } from '../../host/held.js';
import { Host } from '../../host/host.js';
import type { Collector, Subject, Tier } from '../../model/collector.js';
import { counter, metric } from '../../model/metric.js';
import { Outcome, outcomeWords } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import type { Column } from '../../model/table.js';
import type { Tables } from '../../model/tables.js';

/** A collector that counts its turns and does what the test says. */
class FakeCollector implements Collector {
  readonly about;
  readonly metrics;
  readonly column: Column;
  readonly turns: string[] = [];
  does: (subject: Subject, turn: number) => Outcome = () => Outcome.ok;
  began: () => Iterable<void> = () => [];
  attached: (subject: Subject) => void = () => undefined;

  constructor(tables: Tables, name: string, tier: Tier = 'sweep', closing = false) {
    this.about = { name, tier, reads: 'nothing', enabled: true, ...(closing ? { closing: true as const } : {}) };
    const turns = metric({
      json: `${name}.turns`,
      family: counter({ name: `${name}_turns_total`, help: 'Turns.' }),
      rate: `${name}_per_second`,
    });
    this.metrics = [turns];
    this.column = tables.instances.column(turns);
  }
  begin(): Iterable<void> {
    return this.began();
  }
  attach(subject: Subject): void {
    this.attached(subject);
  }
  collect(subject: Subject): Outcome {
    this.turns.push(subject.id);
    this.column.back[subject.row] = this.turns.length;
    return this.does(subject, this.turns.length);
  }
}

let proc: FakeProc;
let house: House;
let one: FakeCollector;
let two: FakeCollector;
let slow: FakeCollector;
let before: number;
beforeEach(() => {
  before = descriptorsHeld();
  proc = new FakeProc();
  house = new House(proc.host(), (tables) => {
    one = new FakeCollector(tables, 'one', 'sweep', true);
    two = new FakeCollector(tables, 'two');
    slow = new FakeCollector(tables, 'slow', 'slow');
    return [one, two, slow];
  });
});
afterEach(async () => {
  await house.close();
  proc.close();
  expect(descriptorsHeld()).toBe(before);
});

/** So many VMs with a process each, found and swept once. */
async function start(count = 1): Promise<void> {
  const pids = Array.from({ length: count }, (_, i) => 100 + i);
  for (const pid of pids) proc.addProcess(pid, { startTicks: pid });
  house.told.records = pids.map((pid) => ({ id: `vm-${pid}`, process: { pid } }));
  await house.turn();
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const words = (collector: string): string => {
  const state = house.sampler.states.find((known) => known.collector.about.name === collector) ?? expect.fail(collector);
  return Object.values(outcomeWords(state.outcome.front[house.collection.order.rows[0]])).join(' ');
};

describe('sweeps', () => {
  it('are one at a time: who asks while one is under way joins it', async () => {
    await start();
    const first = house.collection.sweep();
    expect(house.collection.sweep()).toBe(first);
    await Promise.all([first, house.collection.fresh()]);
    expect(house.collection.last.sequence).toBe(2);
    expect(one.turns).toHaveLength(2);
  });

  it('are made anew for who asks after more than the maximum age, which is one second unless set', async () => {
    expect(new Settings().maxAgeMs).toBe(1000);
    await start();
    proc.clock.ms += 1000;
    await house.collection.fresh();
    expect(house.collection.last.sequence).toBe(1);
    proc.clock.ms += 1;
    await house.collection.fresh();
    expect(house.collection.last).toMatchObject({ sequence: 2, startedMs: proc.clock.now(), instances: 1 });
    house.settings.maxAgeMs = 0;
    proc.clock.ms += 1;
    await house.collection.fresh();
    expect(house.collection.last.sequence).toBe(3);
  });

  it('include an instance that somebody asks for, however young the last one is', async () => {
    await start();
    proc.addProcess(7);
    house.told.records = [{ id: 'late', process: { pid: 7 } }];
    await house.registry.rescan();
    await house.collection.fresh(house.registry.get('late'));
    expect(house.collection.order.keys.map(({ id }) => id)).toEqual(['late']);
    await house.collection.fresh(house.registry.get('late'));
    expect(house.collection.last.sequence).toBe(2);
  });

  it('include an instance that became known while one was under way', async () => {
    await start(3);
    house.settings.maxAgeMs = 0;
    one.does = () => {
      proc.clock.ms += 2;
      return Outcome.ok;
    };
    const running = house.collection.sweep();
    proc.addProcess(7);
    house.told.records = [{ id: 'late', process: { pid: 7 } }];
    await house.registry.rescan();
    const late = house.registry.get('late');
    await Promise.all([running, house.collection.fresh(late)]);
    expect(late.sequence).toBeGreaterThan(0);
    expect(house.collection.order.keys.map(({ id }) => id)).toContain('late');
  });

  it('let the event loop turn after a millisecond of work', async () => {
    await start(10);
    one.does = () => {
      proc.clock.ms += 1;
      return Outcome.ok;
    };
    let turns = 0;
    let done = false;
    const count = (): void => {
      turns++;
      if (!done) setImmediate(count);
    };
    setImmediate(count);
    await house.collection.sweep();
    done = true;
    expect(turns).toBeGreaterThanOrEqual(9);
    expect(house.collection.last.skewMs).toBe(10);
  });

  it('print instances in the order of their ids', async () => {
    await start(3);
    expect(house.collection.order.keys.map(({ id }) => id)).toEqual(['vm-100', 'vm-101', 'vm-102']);
  });
});

describe('readers', () => {
  it('see one finished sweep: the next waits for them', async () => {
    await start(3);
    let release: () => void = () => undefined;
    const reading = house.collection.read(() => new Promise<void>((resolve) => (release = resolve)));
    await turn();
    const sweeping = house.collection.sweep();
    await turn();
    expect(house.collection.last.sequence).toBe(1);
    expect(one.turns).toHaveLength(3);
    release();
    await Promise.all([reading, sweeping]);
    expect(house.collection.last.sequence).toBe(2);
  });

  it('wait for a sweep that is under way, so that nothing changes under them', async () => {
    await start(5);
    one.does = () => {
      proc.clock.ms += 2;
      return Outcome.ok;
    };
    const sweeping = house.collection.sweep();
    await turn();
    expect(one.turns.length).toBeLessThan(10);
    const seen = await house.collection.read(async () => {
      const values = (): number[] => [...house.collection.order.rows].map((row) => one.column.front[row]);
      const first = [house.collection.last.sequence, values(), house.registry.get('vm-100').sequence];
      for (let i = 0; i < 20; i++) await turn();
      expect([house.collection.last.sequence, values(), house.registry.get('vm-100').sequence]).toEqual(first);
      return house.collection.last.sequence;
    });
    expect(seen).toBe(2);
    await sweeping;
  });

  it('that fail let the next sweep go on', async () => {
    await start();
    await expect(house.collection.read(() => Promise.reject(new Error('torn')))).rejects.toThrow('torn');
    await house.collection.sweep();
    expect(house.collection.last.sequence).toBe(2);
  });

  it('may be many at once', async () => {
    await start();
    const reads = Array.from({ length: 10 }, () => house.collection.read(turn));
    await Promise.all([...reads, house.collection.sweep()]);
    expect(house.collection.last.sequence).toBe(2);
  });
});

describe('a collector with a defect', () => {
  const broken = (): never => {
    throw new Error('defect');
  };

  it('costs only itself when it throws over an instance, and is counted', async () => {
    await start(2);
    one.does = broken;
    await house.collection.sweep();
    expect([words('one'), words('two')]).toEqual(['failed io_error', 'ok']);
    expect(one.column.front[0]).toBeNaN();
    expect(two.column.front[0]).toBe(3);
    expect(house.defects).toEqual(['one', 'one']);
    expect(house.sampler.states[0].unexpected).toBe(2);
    expect(house.collection.last.sequence).toBe(2);
    one.does = () => Outcome.ok;
    await house.collection.sweep();
    expect(words('one')).toBe('ok');
  });

  it('costs only itself when it throws before, over a new instance, or half-way', async () => {
    one.began = broken;
    two.began = function* () {
      yield;
      broken();
    };
    one.attached = broken;
    await start(2);
    expect(house.collection.last).toMatchObject({ sequence: 1, instances: 2 });
    expect(house.defects.sort()).toEqual(['one', 'one', 'one', 'two']);
    expect([words('one'), words('two'), words('slow')]).toEqual(['ok', 'ok', 'ok']);
  });
});

describe('an outcome that is not ok', () => {
  it('leaves no number behind, and its neighbour’s alone', async () => {
    await start();
    one.does = () => Outcome.malformed;
    await house.collection.sweep();
    expect(words('one')).toBe('failed malformed');
    expect(one.column.front[0]).toBeNaN();
    expect(two.column.front[0]).toBe(2);
    expect(house.sampler.states.map(({ success }) => success.front[0])).toEqual([0, 1, 1]);
  });
});

describe('the slow tier', () => {
  it('has its turn once an interval, spread over the sweeps after the first', async () => {
    await start(20);
    expect(slow.turns).toHaveLength(20);
    const perSweep: number[] = [];
    for (let i = 0; i < 24; i++) {
      proc.clock.ms += 5000;
      const turns = slow.turns.length;
      await house.collection.sweep();
      perSweep.push(slow.turns.length - turns);
    }
    // Two intervals: each of the twenty twice, and never many at once.
    expect(perSweep.reduce((a, b) => a + b)).toBeGreaterThanOrEqual(38);
    expect(perSweep.reduce((a, b) => a + b)).toBeLessThanOrEqual(42);
    expect(Math.max(...perSweep)).toBeLessThanOrEqual(4);
  });

  it('keeps its last value and its age in between', async () => {
    await start(2);
    const row = house.collection.order.rows[1];
    const [value, at] = [slow.column.front[row], house.sampler.states[2].at.front[row]];
    proc.clock.ms += 5000;
    await house.collection.sweep();
    expect([slow.column.front[row], house.sampler.states[2].at.front[row]]).toEqual([value, at]);
  });
});

describe('the end of a process', () => {
  it('takes the closing sample of a zombie with the collectors that can', async () => {
    await start();
    const instance = house.registry.get('vm-100');
    let closing: number[] = [];
    house.collection.onEnd = ({ row, process }) => {
      expect(process).toBeNull();
      closing = [one.column.back[row], two.column.back[row]];
    };
    proc.write('100/stat', statLine({ pid: 100, startTicks: 100, state: 'Z' }));
    await house.collection.sweep();
    expect(closing).toEqual([2, 1]);
    expect(instance).toMatchObject({ row: -1, process: null, endedMs: proc.clock.now() });
    expect(house.collection.order.keys).toEqual([]);
    expect(house.collection.last.instances).toBe(0);
  });

  it('that nobody saw as a zombie keeps the last sample', async () => {
    const spawned = new Spawned();
    const child = await spawned.start();
    const real = new House(new Host(), (tables) => {
      one = new FakeCollector(tables, 'one', 'sweep', true);
      return [one];
    });
    real.told.records = [{ id: 'vm-1', process: { pid: child.pid } }];
    await real.turn();
    let closing = Number.NaN;
    real.collection.onEnd = ({ row }) => {
      closing = one.column.back[row];
    };
    await spawned.end(child);
    await real.collection.sweep();
    expect(closing).toBe(1);
    expect(one.turns).toHaveLength(1);
    await real.close();
  });

  it('in the middle of a sweep costs the others nothing', async () => {
    await start(3);
    one.does = ({ id }) => {
      if (id === 'vm-100') proc.write('101/stat', statLine({ pid: 101, state: 'X' }));
      return Outcome.ok;
    };
    await house.collection.sweep();
    expect(house.collection.order.keys.map(({ id }) => id)).toEqual(['vm-100', 'vm-102']);
  });
});

describe('a stat that cannot be read', () => {
  it('does not end the instance', async () => {
    await start();
    proc.write('100/stat', 'garbage');
    await house.collection.sweep();
    expect(house.collection.order.keys).toHaveLength(1);
    expect(house.registry.get('vm-100').process?.statOutcome).toBe(Outcome.malformed);
  });
});

describe('rates', () => {
  it('are there from the second sweep on, over the time between the last two', async () => {
    await start();
    const instance = house.registry.get('vm-100');
    expect(house.collection.rates(instance)).toBeNull();
    proc.clock.ms += 4000;
    one.does = ({ row }) => {
      one.column.back[row] = 9;
      return Outcome.ok;
    };
    await house.collection.sweep();
    expect(house.collection.rates(instance)).toMatchObject({ windowSeconds: 4 });
    expect(house.collection.rates(instance)?.perSecond.get('one_per_second')).toBe(2);
  });

  it('do not look back beyond a restart', async () => {
    await start();
    const instance = house.registry.get('vm-100');
    proc.clock.ms += 1000;
    proc.write('100/stat', statLine({ pid: 100, startTicks: 100, state: 'Z' }));
    await house.collection.sweep();
    proc.removeProcess(100);
    proc.addProcess(200, { startTicks: 200 });
    house.told.records = [{ id: 'vm-100', process: { pid: 200 } }];
    proc.clock.ms += 1000;
    await house.turn();
    expect(instance.generation).toBe(2);
    expect(house.collection.rates(instance)).toBeNull();
    expect(house.collection.rates(instance, 60)).toBeNull();
    proc.clock.ms += 1000;
    await house.collection.sweep();
    expect(house.collection.rates(instance, 60)).toMatchObject({ windowSeconds: 1 });
  });
});

describe('detached collectors', () => {
  it('give the sweep what they found last, and never a number with an outcome that is not ok', async () => {
    let found: Outcome = Outcome.ok;
    let detached: FakeCollector | undefined;
    const with3 = new House(proc.host(), (tables) => {
      detached = new FakeCollector(tables, 'pss', 'detached');
      return [
        Object.assign(detached, {
          collectDetached: () => (found === Outcome.busy ? Promise.reject(new Error('defect')) : Promise.resolve(found)),
        }),
      ];
    });
    proc.addProcess(7);
    with3.told.records = [{ id: 'vm-1', process: { pid: 7 } }];
    await with3.turn();
    const [state] = with3.sampler.states;
    const work = async (): Promise<readonly [number, boolean]> => {
      with3.sampler.detachedResult(state, 0, await with3.sampler.collectDetached(state, with3.registry.get('vm-1')));
      await with3.collection.sweep();
      return [state.outcome.front[0], Number.isNaN(detached?.column.front[0])];
    };
    expect(await work()).toEqual([Outcome.ok, false]);
    proc.clock.ms += 5000;
    const at = proc.clock.ms;
    found = Outcome.notPermitted;
    expect(await work()).toEqual([Outcome.notPermitted, true]);
    proc.clock.ms += 5000;
    await with3.collection.sweep();
    expect(state.at.front[0]).toBe(at);
    found = Outcome.busy;
    expect(await work()).toEqual([Outcome.ioError, true]);
    expect(with3.defects).toEqual(['pss']);
    await with3.close();
  });
});
