import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc, statLine } from '../../../test/fake-proc.js';
import { House } from '../../../test/house.js';
import { COLLECTORS } from '../collection/collectors.js';
import { StatsView } from './stats.view.js';

let proc: FakeProc;
let house: House;
let view: StatsView;
beforeEach(async () => {
  proc = new FakeProc();
  house = new House(proc.host());
  view = new StatsView(house.tables, house.collection, house.host);
  proc.addProcess(7, { userTicks: 100 });
  house.told.records = [
    {
      id: 'vm-1',
      name: 'n"a\\m\ne \ud800',
      process: { pid: 7 },
      vcpus: 2,
      memoryBytes: 2 ** 30,
      hypervisor: 'qemu',
      nics: [
        { kind: 'tap', name: 'exptap0', mac: '52:54:00:00:00:01' },
        { kind: 'tap', name: 'gone0' },
      ],
    },
  ];
  await house.turn();
});
afterEach(async () => {
  await house.close();
  proc.close();
});

const instance = () => house.registry.get('vm-1');
const read = (windowSeconds?: number) => JSON.parse(view.json(instance(), windowSeconds));

describe('the stats document', () => {
  it('has hypeman’s ten fields first, with its names', () => {
    expect(Object.keys(read()).slice(0, 10)).toEqual([
      'instance_id',
      'instance_name',
      'cpu_seconds',
      'memory_rss_bytes',
      'memory_vms_bytes',
      'network_rx_bytes',
      'network_tx_bytes',
      'allocated_vcpus',
      'allocated_memory_bytes',
      'memory_utilization_ratio',
    ]);
  });

  it('has the numbers of the last sweep, and null for what is not known', () => {
    const rss = 13894 * house.host.pageBytes;
    expect(read()).toMatchObject({
      instance_id: 'vm-1',
      instance_name: 'n"a\\m?e \ufffd',
      cpu_seconds: 3.3,
      memory_rss_bytes: rss,
      network_rx_bytes: null,
      memory_utilization_ratio: rss / 2 ** 30,
      hypervisor: 'qemu',
      state: 'running',
      source: 'told',
      generation: 1,
      started_at: new Date(1_700_000_000_000 + 2_714_310).toISOString(),
      collected_at: new Date(proc.clock.now()).toISOString(),
      cpu: { user_seconds: 1, system_seconds: 2.3, vhost_seconds: null },
      memory: { rss_bytes: rss, pss_bytes: null, hugetlb_bytes: 0 },
      process: { threads: 7, io: { read_bytes: 5965312 }, context_switches: { voluntary: 68 } },
    });
  });

  it('shows every interface with its own outcome', () => {
    const none = {
      rx_bytes: null,
      tx_bytes: null,
      rx_packets: null,
      tx_packets: null,
      rx_errors: null,
      tx_errors: null,
      rx_drops: null,
      tx_drops: null,
      rx_multicast: null,
      generation: null,
    };
    const unknown = {
      ...{ mtu_bytes: null, speed_bytes_per_second: null, carrier: null, carrier_changes: null, queues: null, operstate: null },
      ...{ host_mac: null, bridge: null },
    };
    expect(read().network.interfaces).toEqual([
      {
        name: 'exptap0',
        kind: 'tap',
        mac: '52:54:00:00:00:01',
        outcome: 'ok',
        rx_bytes: 57782670,
        tx_bytes: 1146410,
        rx_packets: 1543,
        tx_packets: 1477,
        rx_errors: 0,
        tx_errors: 0,
        rx_drops: 4,
        tx_drops: 0,
        rx_multicast: null,
        generation: 1,
        ...unknown,
      },
      { name: 'gone0', kind: 'tap', mac: null, outcome: 'absent', reason: 'gone', ...none, ...unknown },
    ]);
  });

  it('says how every collector of THE LIST did that concerns a VM, in its order', () => {
    const { collectors } = read();
    const ofSandboxes = house.sampler.states.filter(({ collector }) => collector.concerns).map(({ collector }) => collector.about.name);
    const names = COLLECTORS.map(({ about }) => about.name);
    expect(Object.keys(collectors)).toEqual(names.filter((name) => !ofSandboxes.includes(name)));
    expect(collectors.cpu).toEqual({ outcome: 'ok', seconds: 0, age_seconds: 0 });
    expect(collectors.vhost).toMatchObject({ outcome: 'absent', reason: 'not_configured' });
    expect(collectors.network).toMatchObject({ outcome: 'absent', reason: 'gone' });
    expect(collectors.pss).toMatchObject({ outcome: 'failed', reason: 'busy' });
  });

  it('tells the age of what is not read in every sweep', async () => {
    proc.clock.ms += 4000;
    await house.collection.sweep();
    expect(read().collectors.cpu.age_seconds).toBe(0);
    expect(read().collectors.io.age_seconds).toBe(0);
    proc.clock.ms += 4000;
    await house.collection.sweep();
    expect(read().collectors.wait.age_seconds).toBeGreaterThan(0);
  });

  it('has rates over the last two sweeps, or over a window', async () => {
    expect(read().rates).toBeNull();
    proc.write('7/stat', statLine({ pid: 7, userTicks: 300 }));
    proc.clock.ms += 4000;
    await house.collection.sweep();
    expect(read().rates).toMatchObject({
      window_seconds: 4,
      cpu_cores: 0.5,
      cpu_utilization_ratio: 0.25,
      network_rx_bytes_per_second: null,
    });
    expect(read(60).rates.window_seconds).toBe(4);
    // A clock of the kernel has fractions of a millisecond: none of a double's tails is in the document.
    proc.clock.ms += 1219.0772980000002;
    await house.collection.sweep();
    expect(view.json(instance())).toMatch(/"window_seconds":1\.219077\d{0,2},/);
  });

  it('is rendered once a sweep', async () => {
    const first = view.json(instance());
    expect(view.json(instance())).toBe(first);
    proc.clock.ms += 1000;
    await house.collection.sweep();
    expect(view.json(instance())).not.toBe(first);
  });

  it('is never partly of another instance that has its row', async () => {
    view.json(instance());
    proc.addProcess(8, { userTicks: 9900 });
    house.told.records = [];
    await house.turn();
    house.told.records = [{ id: 'other', process: { pid: 8 } }];
    await house.turn();
    const other = house.registry.get('other');
    expect(other.row).toBe(0);
    expect(JSON.parse(view.json(other))).toMatchObject({
      instance_id: 'other',
      cpu_seconds: 101.3,
      allocated_vcpus: null,
      network: { interfaces: [] },
    });
  });
});

describe('a stopped instance', () => {
  it('answers its closing sample: the zombie’s totals and what was last known of the rest', async () => {
    const before = read();
    proc.clock.ms += 3000;
    proc.write('7/stat', statLine({ pid: 7, state: 'Z', userTicks: 500 }));
    await house.collection.sweep();
    const after = read();
    expect(after).toMatchObject({
      state: 'stopped',
      cpu_seconds: 7.3,
      memory_rss_bytes: before.memory_rss_bytes,
      rates: null,
      generation: 1,
    });
    expect(after.network.interfaces[0]).toMatchObject({ name: 'exptap0', rx_bytes: 57782670 });
    proc.clock.ms += 60_000;
    await house.collection.sweep();
    expect(read()).toEqual(after);
  });

  it('that the agent never saw running has nulls, and collectors that say gone', async () => {
    house.told.records = [{ id: 'vm-2', name: 'two' }];
    await house.turn();
    const document = JSON.parse(view.json(house.registry.get('vm-2')));
    expect(document).toMatchObject({ state: 'stopped', cpu_seconds: null, started_at: null, generation: 0, network: { interfaces: [] } });
    expect(document.collectors.cpu).toEqual({ outcome: 'absent', reason: 'gone', seconds: null, age_seconds: null });
  });

  it('that runs again answers for its new process', async () => {
    proc.write('7/stat', statLine({ pid: 7, state: 'Z', userTicks: 500 }));
    await house.turn();
    proc.removeProcess(7);
    proc.addProcess(8, { userTicks: 1, startTicks: 500_000 });
    house.told.records = [{ id: 'vm-1', process: { pid: 8 } }];
    await house.turn();
    expect(read()).toMatchObject({ state: 'running', generation: 2, cpu_seconds: 2.31 });
  });
});

it('documents of many come one by one', async () => {
  const documents: string[] = [];
  for await (const document of view.documents(house.registry.all())) documents.push(document);
  expect(documents.map((text) => JSON.parse(text).instance_id)).toEqual(['vm-1']);
});
