import { statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc, statLine } from '../../../test/fake-proc.js';
import { House } from '../../../test/house.js';
import { InstanceView } from './instance.view.js';

let proc: FakeProc;
let house: House;
let view: InstanceView;
beforeEach(() => {
  proc = new FakeProc();
  house = new House(proc.host());
  view = new InstanceView(house.discovery, house.host);
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
      sandbox: null,
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

describe('a sandbox', () => {
  const SANDBOX = {
    runtime: 'go',
    vmmInShim: false,
    directory: '/run/vc/sbs/a',
    pod: { uid: 'u', name: 'web', namespace: 'shop' },
    agentUrl: 'vsock://3:1024',
    networkNamespace: '/var/run/netns/cni-1',
    cgroup: { path: '/kubepods/pod-u/kata_a', overheadPath: '/kata_overhead/a', sandboxOnly: false },
  } as const;

  it('shows its processes by their roles, its pod, its namespace and the cgroups of Kata', async () => {
    for (const [pid, startTicks] of [
      [7, 1],
      [8, 2],
      [9, 3],
    ]) {
      proc.addProcess(pid, { startTicks });
      proc.link(`${pid}/exe`, `/opt/kata/bin/program-${pid} (deleted)`);
    }
    house.told.records = [
      {
        id: 'a',
        name: 'web',
        process: { pid: 7 },
        companions: [
          { role: 'virtiofsd', pid: 9, startTicks: 3 },
          { role: 'shim', pid: 8, startTicks: 2 },
        ],
        sandbox: SANDBOX,
      },
    ];
    await house.turn();
    const uid = statSync(proc.root).uid;
    expect(view.one(house.registry.get('web'))).toMatchObject({
      processes: [
        { role: 'vmm', pid: 7, start_ticks: 1 },
        { role: 'shim', pid: 8, start_ticks: 2, uid, executable: '/opt/kata/bin/program-8', vhost_threads: [] },
        { role: 'virtiofsd', pid: 9, start_ticks: 3, uid, executable: '/opt/kata/bin/program-9', vhost_threads: [] },
      ],
      sandbox: {
        runtime: 'go',
        vmm_in_shim: false,
        directory: '/run/vc/sbs/a',
        pod: { uid: 'u', name: 'web', namespace: 'shop' },
        agent_url: 'vsock://3:1024',
        network_namespace: '/var/run/netns/cni-1',
        cgroups: { sandbox: '/kubepods/pod-u/kata_a', overhead: '/kata_overhead/a', sandbox_only: false },
      },
    });
  });

  it('whose shim contains the VMM has one process in both roles, and null for what nobody tells', async () => {
    proc.addProcess(7, { startTicks: 1 });
    house.told.records = [
      { id: 'a', process: { pid: 7 }, companions: [{ role: 'shim', pid: 7, startTicks: 1 }], sandbox: { vmmInShim: true } },
    ];
    await house.turn();
    expect(view.one(house.registry.get('a'))).toMatchObject({
      processes: [
        { role: 'vmm', pid: 7, start_ticks: 1 },
        { role: 'shim', pid: 7, start_ticks: 1, executable: null },
      ],
      sandbox: {
        runtime: null,
        vmm_in_shim: true,
        directory: null,
        pod: { uid: null, name: null, namespace: null },
        agent_url: null,
        network_namespace: null,
        cgroups: { sandbox: null, overhead: null, sandbox_only: null },
      },
    });
  });

  it('that ended shows no process', async () => {
    proc.addProcess(7);
    proc.addProcess(8, { startTicks: 2 });
    house.told.records = [{ id: 'a', process: { pid: 7 }, companions: [{ role: 'shim', pid: 8, startTicks: 2 }], sandbox: SANDBOX }];
    await house.turn();
    proc.write('7/stat', statLine({ pid: 7, state: 'Z' }));
    await house.collection.sweep();
    expect(view.one(house.registry.get('a'))).toMatchObject({ processes: [], sandbox: { runtime: 'go' } });
  });

  it('is found by the name of its pod; two pods of one name, in two namespaces, need their ids', async () => {
    house.told.records = [
      { id: 'a1', name: 'web', sandbox: SANDBOX },
      { id: 'b1', name: 'db', sandbox: SANDBOX },
      { id: 'b2', name: 'db', sandbox: { ...SANDBOX, pod: { name: 'db', namespace: 'other' } } },
    ];
    await house.turn();
    expect(house.registry.get('web').id).toBe('a1');
    expect(house.registry.get('a').id).toBe('a1');
    for (const key of ['db', 'b']) expect(() => house.registry.get(key)).toThrow(expect.objectContaining({ code: 'ambiguous' }));
    expect(() => house.registry.get('shop/web')).toThrow(expect.objectContaining({ code: 'invalid_id' }));
    expect(list({ name: 'db' }).ids).toEqual(['b1', 'b2']);
  });
});
