import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc, statLine } from '../../../test/fake-proc.js';
import { House } from '../../../test/house.js';
import { sandboxRecord, ToldSandboxes } from '../../../test/sandboxes.js';
import { metric } from '../../model/metric.js';
import { Tables } from '../../model/tables.js';
import { COLLECTORS } from '../collection/collectors.js';
import { ShimView } from './shim.view.js';
import { StatsView } from './stats.view.js';

let proc: FakeProc;
let house: House;
let sandboxes: ToldSandboxes;
let view: StatsView;
beforeEach(async () => {
  proc = new FakeProc();
  house = new House(proc.host(), (tables, host) => {
    sandboxes = new ToldSandboxes(tables);
    const ofTenFields = COLLECTORS.filter(({ about }) => ['allocation', 'cpu', 'memory', 'network'].includes(about.name));
    return [...ofTenFields.map((Listed) => new Listed(tables, host)), sandboxes];
  });
  view = new StatsView(house.tables, house.collection, house.host);
  sandboxes.numbers.set('a', { threads: 12, cpu: 299, rss: 8192, switches: 5, openFds: 9, native: 4096, processCpu: 450 });
  sandboxes.interfaces.set('a', { lo: [0, 0], eth0: [100, Number.NaN] });
  for (const pid of [7, 8]) proc.addProcess(pid);
  proc.addProcess(9, { startTicks: 99 });
  house.told.records = [
    { ...sandboxRecord('a', 7), companions: [{ role: 'shim', pid: 9, startTicks: 99 }] },
    { id: 'vm', process: { pid: 8 } },
  ];
  await house.turn();
});
afterEach(async () => {
  await house.close();
  proc.close();
});

const read = (id: string) => JSON.parse(view.json(house.registry.get(id)));
const NUMBERS = {
  threads: 12,
  cpu: { user_seconds: 2.99, seconds: 4.5 },
  memory: { resident_bytes: 8192 },
  voluntary: 5,
  native_bytes: 4096,
  open_fds: 9,
};
const WORDS = {
  pid: 9,
  runtime: 'go',
  vmm_in_shim: false,
  pod: { uid: 'uid-a', name: 'pod-a', namespace: 'shop' },
  agent_url: 'vsock://3:1024',
};
const INTERFACES = [
  { name: 'eth0', outcome: 'ok', recv_bytes: 100, sent_bytes: null },
  { name: 'lo', outcome: 'ok', recv_bytes: 0, sent_bytes: 0 },
];
const NO_NUMBERS = {
  threads: null,
  cpu: { user_seconds: null, seconds: null },
  memory: { resident_bytes: null },
  voluntary: null,
  native_bytes: null,
  open_fds: null,
};

describe('the member shim', () => {
  it('has the words and numbers of a sandbox, and the interfaces of its namespace', () => {
    expect(read('a').shim).toEqual({ ...WORDS, ...NUMBERS, interfaces: INTERFACES });
  });

  it('is null for an instance that is no sandbox', () => {
    expect(read('vm').shim).toBeNull();
  });

  it('has nulls where nothing is known, with the same members', async () => {
    house.told.records = [{ ...sandboxRecord('a', 7), sandbox: { vmmInShim: true } }];
    sandboxes.numbers.delete('a');
    await house.turn();
    expect(read('a').shim).toEqual({
      pid: null,
      runtime: null,
      vmm_in_shim: true,
      pod: { uid: null, name: null, namespace: null },
      agent_url: null,
      ...NO_NUMBERS,
      interfaces: expect.any(Array),
    });
  });

  it('of a sandbox that never ran has its words alone', async () => {
    house.told.records = [{ ...sandboxRecord('b', 7), process: undefined }];
    await house.turn();
    expect(read('b').shim).toEqual({
      ...WORDS,
      pid: null,
      pod: { ...WORDS.pod, uid: 'uid-b', name: 'pod-b' },
      ...NO_NUMBERS,
      interfaces: null,
    });
  });

  it('keeps its last numbers in the closing sample', async () => {
    proc.clock.ms += 3000;
    proc.write('7/stat', statLine({ pid: 7, state: 'Z' }));
    await house.collection.sweep();
    expect(read('a')).toMatchObject({ state: 'stopped', shim: { ...WORDS, ...NUMBERS, interfaces: INTERFACES } });
    expect(read('a').collectors.told_sandboxes).toMatchObject({ outcome: 'ok' });
  });

  it('stays when Kata’s files go before the VMM', async () => {
    house.told.records = [{ id: 'a', process: { pid: 7 } }];
    await house.turn();
    expect(read('a').shim).toMatchObject({ pid: null, runtime: null, vmm_in_shim: null, ...NUMBERS });
  });

  it('takes numbers of its own group only', () => {
    const tables = new Tables();
    tables.sandboxes.column(metric({ json: 'sandbox.threads' }));
    expect(() => new ShimView(tables)).toThrow('sandbox: numbers of a sandbox stand in shim');
  });
});

it('collectors that do not concern an instance are not among its collectors', () => {
  const usual = ['allocation', 'cpu', 'memory', 'network'];
  expect(Object.keys(read('a').collectors).sort()).toEqual([...usual, 'told_sandboxes']);
  expect(Object.keys(read('vm').collectors).sort()).toEqual(usual);
});
