import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AskingHouse } from '../../../test/asking-house.js';
import { statLine } from '../../../test/fake-proc.js';
import { FULL_ANSWER } from '../../../test/vmm-answer.js';
import { Outcome } from '../../model/outcome.js';
import { StatsView } from './stats.view.js';

const MIB = 2 ** 20;
let asking: AskingHouse;
let view: StatsView;
beforeEach(async () => {
  asking = await AskingHouse.start();
  const { tables, collection, host } = asking.house;
  view = new StatsView(tables, collection, host);
});
afterEach(() => asking.close());

const read = (id = 'vm-1') => JSON.parse(view.json(asking.house.registry.get(id)));
/** The members that a VMM tells. */
function told(id = 'vm-1') {
  const { memory, disks, network, vmm, exits, migration, events } = read(id);
  return {
    guest: memory.guest,
    balloon: memory.balloon,
    given: memory.vmm,
    disks,
    devices: network.devices,
    vmm,
    exits,
    migration,
    events,
  };
}

describe('of a VMM that tells everything the document', () => {
  it('has groups of numbers, with units as its names say', async () => {
    await asking.says(FULL_ANSWER);
    const { guest, balloon, given, migration, events } = told();
    expect(guest).toMatchObject({ total_bytes: 96 * MIB, used_bytes: 46 * MIB, major_faults: 153, sample_age_seconds: 10 });
    expect(balloon).toEqual({
      actual_bytes: 80 * MIB,
      held_bytes: 48 * MIB,
      target_held_bytes: 49 * MIB,
      inflations: 7,
      deflations: 5,
    });
    expect(given).toEqual({ allocated_bytes: 128 * MIB, hotplugged_bytes: 16 * MIB, max_bytes: 512 * MIB });
    expect(migration).toMatchObject({ state: 'active', elapsed_seconds: 1.234, sent_bytes_per_second: 33_554_432 });
    expect(events).toMatchObject({ guest_panicked: 40, missed_metrics: 62 });
  });

  it('has the words of the VMM before what the asking cost', async () => {
    await asking.says(FULL_ANSWER);
    const { vmm } = told();
    expect(Object.keys(vmm).slice(0, 2)).toEqual(['dialogue', 'version']);
    expect(vmm).toMatchObject({ dialogue: 'qmp', version: 'QEMU 7.2.22', state: 'internal-error', questions: 12 });
    expect(vmm.dropped).toEqual({ disks: 0, devices: 0 });
    expect(read().state).toBe('degraded');
  });

  it('has its disks and devices by name, however they are called', async () => {
    await asking.says(FULL_ANSWER);
    const [hostile, disk] = told().disks;
    expect(hostile).toMatchObject({ device: 'sd"0?', file: 'C:\\b', format: null, read_only: null, read_bytes: 0, writes: null });
    expect(disk).toMatchObject({ device: 'virtio0', file: '/img/a.qcow2', format: 'qcow2', read_only: false });
    expect(disk).toMatchObject({ read_bytes: 1_000_000_001, read_seconds: 1.000000008, lifetime_read_latency_min_seconds: 1000.000024 });
    expect(told().devices).toMatchObject([{ device: 'net0', received_bytes: 2000, spoofed_mac_frames: 2010 }]);
  });

  it('has exits with their direction, and KVM’s by the kernel’s names', async () => {
    await asking.says(FULL_ANSWER);
    expect(told().exits).toEqual({
      ...{ io_in: 11, io_out: 12, mmio_read: 13, mmio_write: 14, failures: 0 },
      kvm: {
        total: 111_000,
        dropped_reasons: 0,
        dropped_events: 0,
        halt_wait_seconds: 1.5,
        halt_poll_success_seconds: 0.020000001,
        halt_poll_fail_seconds: 0.030000002,
        reasons: { halt: 4_002, io: 70_123, mmio: 901 },
        events: { insn_emulation: 108_000_000, irq_injections: 5_003 },
      },
    });
  });
});

const NOTHING = { guest: null, balloon: null, given: null, disks: null, devices: null, exits: null, migration: null, events: null };

describe('what is not known', () => {
  it('is null by the group, of a VM that nobody asks, and of one that was not answered yet', () => {
    expect(told('vm-2')).toEqual({ ...NOTHING, vmm: null });
    expect(told()).toEqual({ ...NOTHING, vmm: null });
    expect([read().degraded, read('vm-2').degraded]).toEqual([null, null]);
    expect(Object.keys(read('vm-2').collectors)).not.toContain('guest_memory');
  });

  it('is null of a VMM that tells nothing, and the collectors say why', async () => {
    await asking.says({});
    const { vmm, ...groups } = told();
    expect(groups).toEqual(NOTHING);
    expect(vmm).toMatchObject({ dialogue: 'qmp', version: null, state: null, dropped: null });
    for (const name of ['guest_memory', 'disks', 'exits', 'migration'])
      expect([name, read().collectors[name]]).toMatchObject([name, { outcome: 'absent', reason: 'unsupported' }]);
    expect(told('vm-2')).toEqual({ ...NOTHING, vmm: null });
  });

  it('is no empty list, which says that there are none', async () => {
    await asking.says({ disks: [], vnics: Outcome.unsupported });
    expect(told()).toMatchObject({ disks: [], devices: null });
  });

  it('is only the part of a group that was not told', async () => {
    await asking.says({ exits: { ioIn: 1 } });
    expect(told().exits).toEqual({ io_in: 1, io_out: null, mmio_read: null, mmio_write: null, failures: null, kvm: null });
    await asking.says({ kvm: { counters: new Map([['io_exits', 5]]), durations: new Map(), gauges: new Map() } });
    expect(told().exits).toMatchObject({ io_in: null, kvm: { total: null, reasons: { io: 5 }, events: null } });
  });

  it('is null again when the VMM says nothing any more', async () => {
    await asking.says(FULL_ANSWER);
    await asking.says({});
    const { vmm: _, ...groups } = told();
    expect(groups).toEqual(NOTHING);
  });
});

describe('the document of an answer that came since the sweep', () => {
  it('is that of the sweep: neither a number nor an outcome of it', async () => {
    const before = view.json(asking.house.registry.get('vm-1'));
    await asking.asker.askOnly(asking.house.registry.get('vm-1'), 5000);
    const { tables, collection, host } = asking.house;
    expect(new StatsView(tables, collection, host).json(asking.house.registry.get('vm-1'))).toBe(before);
  });
});

describe('strange numbers and names', () => {
  it('never break the document', async () => {
    const names = ['__proto__', 'constructor', '"', '\\', '\n', '\ud800', '', 'é💥', ' '];
    const numbers = { readBytes: 2 ** 53, reads: 2 ** 63, writes: -0, flushes: Number.POSITIVE_INFINITY };
    await asking.says({
      disks: names.map((device) => ({ device, file: device, numbers })),
      kvm: { counters: new Map(names.map((name) => [`${name}_exits`, 1])), durations: new Map(), gauges: new Map() },
    });
    const { disks, exits } = told();
    expect(disks).toHaveLength(names.length);
    for (const disk of disks) expect(disk).toMatchObject({ read_bytes: 2 ** 53, reads: null, writes: 0, flushes: null });
    expect(Object.keys(exits.kvm.reasons).sort()).toEqual(['__proto__', 'constructor', '"', '\\', '?', '\ufffd', '', 'é💥', ' '].sort());
  });

  it('of 600 disks show 512 and say how many are left out', async () => {
    await asking.says({ disks: Array.from({ length: 600 }, (_, i) => ({ device: `d${i}`, numbers: { reads: i } })) });
    expect(told().disks).toHaveLength(512);
    expect(told().vmm.dropped).toEqual({ disks: 88, devices: null });
  });
});

describe('a stopped instance', () => {
  it('answers what its VMM last said, rows of parts and words included', async () => {
    await asking.says(FULL_ANSWER);
    const before = told();
    asking.proc.write('7/stat', statLine({ pid: 7, state: 'Z', userTicks: 500 }));
    await asking.house.collection.sweep();
    expect(read()).toMatchObject({ state: 'stopped', cpu_seconds: 7.3 });
    expect(told()).toEqual(before);
    expect(asking.house.tables.disks.size).toBe(0);
    expect(told()).toEqual(before);
  });
});

describe('vCPUs', () => {
  it('stand in the order of their numbers, in the closing sample too', async () => {
    const { tables, registry, collection } = asking.house;
    const parent = registry.get('vm-2');
    const [seconds] = tables.vcpus.columns;
    tables.begin();
    for (const row of tables.vcpus.rowsOf((key) => key.parent === parent)) tables.vcpus.remove(row);
    for (const [place, name] of ['10', '9', '0'].entries()) seconds.back[tables.vcpus.add({ parent, place, name })] = place;
    tables.publish();
    const indexes = (): number[] => read('vm-2').cpu.vcpus.map(({ index }: { index: number }) => index);
    await collection.sweep();
    expect(indexes()).toEqual([0, 9, 10]);
    asking.proc.write('8/stat', statLine({ pid: 8, state: 'Z' }));
    await collection.sweep();
    expect(indexes()).toEqual([0, 9, 10]);
  });
});

describe('degraded', () => {
  it('says whether the VM works, and every reason why not', async () => {
    await asking.says({ state: { word: 'running', state: 'running' } });
    expect(read().degraded).toMatchObject({ is_degraded: 0, reasons: [] });
    await asking.says(FULL_ANSWER);
    expect(read().degraded).toMatchObject({ is_degraded: 1, internal_error: 1, reasons: ['internal_error'] });
  });
});
