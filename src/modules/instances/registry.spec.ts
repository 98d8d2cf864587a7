import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc, statLine } from '../../../test/fake-proc.js';
import { House, ToldSource } from '../../../test/house.js';
import { descriptorsHeld } from '../../host/held.js';
import type { Instance } from './instance.js';

let proc: FakeProc;
let house: House;
let before: number;
beforeEach(() => {
  before = descriptorsHeld();
  proc = new FakeProc();
  house = new House(proc.host());
});
afterEach(async () => {
  await house.close();
  proc.close();
  expect(descriptorsHeld()).toBe(before);
});

const ids = (): string[] => [...house.registry.all()].map(({ id }) => id).sort();
const get = (id: string): Instance => house.registry.get(id);
const told = (...records: ToldSource['records'] extends infer R ? (R extends readonly (infer One)[] ? One : never)[] : never): void => {
  house.told.records = records;
};
/** The process becomes a zombie, is seen as one, and is reaped. */
async function end(pid: number): Promise<void> {
  proc.write(`${pid}/stat`, statLine({ pid, state: 'Z', userTicks: 777 }));
  await house.turn();
  proc.removeProcess(pid);
}

describe('a source', () => {
  it('that gives an older answer is not up, and its last success does not move', async () => {
    told({ id: 'vm-1' });
    await house.turn();
    const lastSuccessMs = proc.clock.now();
    proc.clock.ms += 5000;
    house.told.stale = true;
    await house.turn();
    expect(ids()).toEqual(['vm-1']);
    expect(house.registry.sources).toMatchObject([{ ok: false, instances: 1, lastSuccessMs }]);
    house.told.stale = false;
    await house.turn();
    expect(house.registry.sources).toMatchObject([{ ok: true, error: null, lastSuccessMs: lastSuccessMs + 5000 }]);
  });

  it('that fails keeps its last answer and says so, until it works again', async () => {
    told({ id: 'vm-1' });
    await house.turn();
    const lastSuccessMs = proc.clock.now();
    proc.clock.ms += 5000;
    house.told.records = new Error('disk on fire');
    await house.turn();
    expect(ids()).toEqual(['vm-1']);
    expect(house.registry.sources).toEqual([
      { name: 'told', ok: false, error: 'disk on fire', instances: 1, problems: null, lastSuccessMs },
    ]);
    told();
    await house.turn();
    expect(ids()).toEqual([]);
    expect(house.registry.sources).toMatchObject([{ ok: true, error: null, instances: 0 }]);
  });

  it('that fails costs no other source anything', async () => {
    const [good, bad] = [new ToldSource('good'), new ToldSource('bad')];
    house = new House(proc.host(), undefined, { sources: [bad, good] });
    bad.records = new Error('x');
    good.records = [{ id: 'vm-1' }];
    await house.turn();
    expect(ids()).toEqual(['vm-1']);
    expect(house.registry.sources.map(({ ok }) => ok)).toEqual([false, true]);
  });

  it('cannot name an instance by anything but a valid id', async () => {
    told({ id: '../etc' }, { id: '' }, { id: 'a\0' }, { id: 'x'.repeat(129) }, { id: 'vm-1' });
    await house.turn();
    expect(ids()).toEqual(['vm-1']);
  });

  it('is asked once by two rescans at the same time', async () => {
    await Promise.all([house.registry.rescan(), house.registry.rescan()]);
    expect(house.registry.rescans).toBe(1);
  });
});

describe('a claim', () => {
  it('gives the instance its process, held by the next sweep', async () => {
    proc.addProcess(7);
    told({ id: 'vm-1', process: { pid: 7, startTicks: 271431 } });
    await house.registry.rescan();
    expect(get('vm-1')).toMatchObject({ row: -1, generation: 0 });
    await house.collection.sweep();
    expect(get('vm-1')).toMatchObject({ row: 0, generation: 1, state: 'running', startedMs: 1_700_000_000_000 + 2_714_310 });
  });

  it.each([
    ['of a pid that nobody has', { pid: 8 }],
    ['with another start time', { pid: 7, startTicks: 5 }],
    ['of another boot', { pid: 7, startTicks: 271431, bootId: '00000000-0000-0000-0000-000000000000' }],
    ['of a zombie', { pid: 9 }],
  ])('%s is refused and counted; the instance stays, without a process', async (_, process) => {
    proc.addProcess(7);
    proc.addProcess(9, { state: 'Z' });
    told({ id: 'vm-1', process });
    await house.turn();
    expect(get('vm-1')).toMatchObject({ state: 'stopped', generation: 0, row: -1 });
    expect(house.registry.claimsRefused).toBe(1);
  });

  it('that was true once is not believed again after the pid has passed on', async () => {
    proc.addProcess(7);
    told({ id: 'vm-1', process: { pid: 7, startTicks: 271431 } });
    await house.turn();
    await end(7);
    proc.addProcess(7, { startTicks: 999_999 });
    await house.turn();
    expect(get('vm-1')).toMatchObject({ state: 'stopped', generation: 1 });
  });

  it('of one process by two sources makes one instance', async () => {
    const [first, second] = [new ToldSource('first'), new ToldSource('second')];
    house = new House(proc.host(), undefined, { sources: [first, second] });
    proc.addProcess(7);
    first.records = [{ id: 'vm-1', process: { pid: 7 } }];
    second.records = [{ id: 'other', process: { pid: 7 }, vcpus: 4 }];
    await house.turn();
    expect(ids()).toEqual(['vm-1']);
    expect(get('vm-1')).toMatchObject({ sources: ['first', 'second'], record: { vcpus: 4 } });
  });

  it('of two processes for one id gives the later one a longer id', async () => {
    proc.addProcess(8, { startTicks: 300_000 });
    proc.addProcess(7);
    told({ id: 'vm-1', process: { pid: 8 } }, { id: 'vm-1', process: { pid: 7 } });
    await house.turn();
    expect(ids()).toEqual(['vm-1', 'vm-1.8-300000']);
    expect(get('vm-1').current?.pid).toBe(7);
  });
});

describe('the end of a process', () => {
  it('leaves the instance stopped for the retention, then it is forgotten', async () => {
    proc.addProcess(7);
    told({ id: 'vm-1', process: { pid: 7 } });
    await house.turn();
    told();
    await end(7);
    proc.clock.ms += house.settings.stoppedRetentionMs - 1;
    await house.turn();
    expect(get('vm-1')).toMatchObject({ state: 'stopped', row: -1, current: null });
    proc.clock.ms += 1;
    await house.turn();
    expect(ids()).toEqual([]);
  });

  it('leaves it for as long as a source names it', async () => {
    proc.addProcess(7);
    told({ id: 'vm-1', process: { pid: 7 } });
    await house.turn();
    await end(7);
    proc.clock.ms += 10 * house.settings.stoppedRetentionMs;
    await house.turn();
    expect(get('vm-1').state).toBe('stopped');
  });

  it('and another process is generation 2 of the same instance', async () => {
    proc.addProcess(7);
    told({ id: 'vm-1', process: { pid: 7 } });
    await house.turn();
    const instance = get('vm-1');
    await end(7);
    proc.addProcess(8, { startTicks: 400_000 });
    told({ id: 'vm-1', process: { pid: 8 } });
    await house.turn();
    expect(get('vm-1')).toBe(instance);
    expect(instance).toMatchObject({ generation: 2, state: 'running', endedMs: null });
    expect(instance.process?.pid).toBe(8);
  });

  it('is not waited for when a live process is no longer named by anyone', async () => {
    proc.addProcess(7);
    told({ id: 'vm-1', process: { pid: 7 } });
    await house.turn();
    told();
    await house.turn();
    expect(ids()).toEqual([]);
    expect(house.collection.order.keys).toEqual([]);
  });

  it('does not lose the closing sample to a rescan that comes before the sweep', async () => {
    proc.addProcess(7);
    told({ id: 'vm-1', process: { pid: 7 } });
    await house.turn();
    let ended: Instance | undefined;
    house.collection.onEnd = (instance) => {
      ended = instance;
    };
    proc.write('7/stat', statLine({ pid: 7, state: 'Z' }));
    told();
    await house.registry.rescan();
    expect(ids()).toEqual(['vm-1']);
    await house.collection.sweep();
    expect(ended?.id).toBe('vm-1');
  });

  it('keeps no more than 1000 that ended, the latest', async () => {
    proc.addProcess(7);
    const records = Array.from({ length: 1003 }, (_, i) => ({ id: `vm-${String(i).padStart(4, '0')}` }));
    told(...records);
    await house.turn();
    for (const instance of house.registry.all()) {
      proc.clock.ms++;
      house.registry.ended(instance);
    }
    told();
    await house.turn();
    expect(house.registry.size).toBe(1000);
    expect(ids()[0]).toBe('vm-0003');
  });
});

describe('devices', () => {
  it('that changed are a change for the next sweep', async () => {
    proc.addProcess(7);
    told({ id: 'vm-1', process: { pid: 7 }, nics: [{ kind: 'tap', name: 'exptap0' }] });
    await house.turn();
    expect(house.tables.interfaces.order.keys).toMatchObject([{ name: 'exptap0' }]);
    told({ id: 'vm-1', process: { pid: 7 }, nics: [{ kind: 'tap', name: 'eth0' }] });
    await house.registry.rescan();
    expect(house.registry.changed).toBe(true);
    await house.collection.sweep();
    expect(house.tables.interfaces.order.keys).toMatchObject([{ name: 'eth0' }]);
    await house.registry.rescan();
    expect(house.registry.changed).toBe(false);
  });

  it('that are not where they were are looked for again, though nobody says anything new', async () => {
    proc.addProcess(7);
    told({ id: 'vm-1', process: { pid: 7 }, nics: [{ kind: 'tap', name: 'exptap0' }] });
    await house.turn();
    get('vm-1').devicesChanged();
    await house.registry.rescan();
    expect(house.registry.takeChanges()).toMatchObject([{ kind: 'devices' }]);
  });
});
