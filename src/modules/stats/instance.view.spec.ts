import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { House } from '../../../test/house.js';
import { InstanceView } from './instance.view.js';

let proc: FakeProc;
let house: House;
let view: InstanceView;
beforeEach(() => {
  proc = new FakeProc();
  house = new House(proc.host());
  view = new InstanceView(house.discovery);
});
afterEach(async () => {
  await house.close();
  proc.close();
});

const list = (query: Parameters<InstanceView['list']>[1] = {}) => {
  const { instances, next_cursor } = view.list(house.registry.all(), query);
  return { ids: instances.map((instance) => Reflect.get(instance, 'id')), next_cursor };
};

describe('the list', () => {
  beforeEach(async () => {
    proc.addProcess(7);
    house.told.records = [
      { id: 'c', name: 'web', hypervisor: 'qemu' },
      { id: 'a', process: { pid: 7 } },
      { id: 'B', name: 'web', hypervisor: 'firecracker', state: 'created' },
    ];
    await house.turn();
  });

  it('is sorted by id', () => {
    expect(list()).toEqual({ ids: ['B', 'a', 'c'], next_cursor: null });
  });

  it('is filtered by all that is asked for', () => {
    expect(list({ hypervisor: 'qemu' }).ids).toEqual(['c']);
    expect(list({ state: 'running' }).ids).toEqual(['a']);
    expect(list({ name: 'web', state: 'created' }).ids).toEqual(['B']);
    expect(list({ source: 'told' }).ids).toHaveLength(3);
    expect(list({ source: 'nobody' }).ids).toEqual([]);
  });

  it('comes in pages, of which none misses or repeats one', () => {
    const seen: unknown[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < 3; page++) {
      const { ids, next_cursor } = list({ limit: '1', ...(cursor === undefined ? {} : { cursor }) });
      seen.push(...ids);
      cursor = next_cursor ?? undefined;
    }
    expect(seen).toEqual(['B', 'a', 'c']);
    expect(cursor).toBeUndefined();
  });

  it('refuses a cursor that it did not give', () => {
    for (const cursor of ['', '..', 'x', Buffer.from('../etc').toString('base64url'), 'é'.repeat(100)]) {
      expect(() => list({ cursor })).toThrow(expect.objectContaining({ code: 'invalid_request' }));
    }
  });

  it('says null for what is not known', () => {
    expect(view.list(house.registry.all(), { name: 'web', limit: '1' }).instances[0]).toEqual({
      id: 'B',
      name: 'web',
      source: 'told',
      hypervisor: 'firecracker',
      state: 'created',
      pid: null,
      started_at: null,
      allocated: { vcpus: null, memory_bytes: null },
    });
  });
});

describe('one instance', () => {
  it('shows its process, interfaces and sockets', async () => {
    proc.addProcess(7);
    house.told.records = [
      { id: 'a', process: { pid: 7 }, nics: [{ kind: 'tap', name: 'tap0' }, { kind: 'user' }], sockets: ['/run/q.sock'] },
    ];
    await house.turn();
    expect(view.one(house.registry.get('a'))).toMatchObject({
      uuid: null,
      sources: ['told'],
      generation: 1,
      ended_at: null,
      processes: [{ role: 'vmm', pid: 7, start_ticks: 271431, executable: null, vhost_threads: [] }],
      interfaces: [
        { kind: 'tap', name: 'tap0', mac: null, device: null },
        { kind: 'user', name: null, mac: null, device: null },
      ],
      sockets: ['/run/q.sock'],
      cgroups: [],
    });
  });

  it('without a process shows none, and null for interfaces that nobody knows', async () => {
    house.told.records = [{ id: 'a' }];
    await house.turn();
    expect(view.one(house.registry.get('a'))).toMatchObject({ processes: [], interfaces: null, sockets: [], cgroups: [] });
  });

  it('shows nothing of an earlier owner of the pid', async () => {
    proc.addProcess(7, { startTicks: 1 });
    proc.link('7/exe', '/usr/bin/qemu-system-x86_64');
    house.discovery.listExecutables(['/usr/bin/qemu-*']);
    await house.discovery.source.list();
    expect(house.discovery.source.vmm(7)?.executable).toBe('/usr/bin/qemu-system-x86_64');
    proc.removeProcess(7);
    proc.addProcess(7, { startTicks: 2 });
    house.told.records = [{ id: 'a', process: { pid: 7 } }];
    await house.turn();
    expect(view.one(house.registry.get('a'))).toMatchObject({ processes: [{ start_ticks: 2, executable: null }] });
  });
});
