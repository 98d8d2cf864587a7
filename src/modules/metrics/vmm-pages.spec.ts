import { register } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AskingHouse } from '../../../test/asking-house.js';
import { parseExposition } from '../../../test/exposition-parser.js';
import { FULL_ANSWER } from '../../../test/vmm-answer.js';
import { ClientFamilies } from './client-families.js';
import { Exposition, type Selection } from './exposition.js';
import { OPEN_METRICS, TEXT } from './format.js';
import { SelfFamilies } from './self.js';

let asking: AskingHouse;
let exposition: Exposition;
beforeEach(async () => {
  register.clear();
  asking = await AskingHouse.start();
  const { registry, collection, discovery, host, tables, settings } = asking.house;
  const self = new SelfFamilies(registry, collection, discovery, host);
  exposition = new Exposition(tables, collection, self, new ClientFamilies(), host, settings);
});
afterEach(() => asking.close());

async function page(selection: Selection = {}, format = TEXT): Promise<string> {
  const { bytes, release } = await exposition.page(format, selection);
  const text = bytes.toString();
  release();
  return text;
}
const lines = async (prefix: string, selection: Selection = {}): Promise<string[]> =>
  (await page(selection)).split('\n').filter((line) => line.startsWith(prefix));

describe('the page about VMMs that answer', () => {
  it('has the word of a state as a label, and no other word', async () => {
    await asking.says(FULL_ANSWER);
    expect(await lines('vmgauge_vm_vmm_state')).toEqual(['vmgauge_vm_vmm_state{state="internal-error",instance_id="vm-1"} 1']);
    expect(await lines('vmgauge_vm_migration_state')).toEqual(['vmgauge_vm_migration_state{state="active",instance_id="vm-1"} 1']);
    await asking.says({ state: { word: 'paused', state: 'paused' } });
    expect(await lines('vmgauge_vm_vmm_state')).toEqual(['vmgauge_vm_vmm_state{state="paused",instance_id="vm-1"} 1']);
    expect(await lines('vmgauge_vm_migration_state')).toEqual([]);
  });

  it('has nanoseconds and microseconds as seconds', async () => {
    await asking.says(FULL_ANSWER);
    const disk = 'instance_id="vm-1",device="virtio0"';
    expect(await lines('vmgauge_vm_disk_read_seconds_total')).toEqual([`vmgauge_vm_disk_read_seconds_total{${disk}} 1.000000008`]);
    expect((await lines('vmgauge_vm_disk_lifetime_read'))[0]).toBe(
      `vmgauge_vm_disk_lifetime_read_latency_seconds{statistic="average",${disk}} 1000.000025`,
    );
    expect(await lines('vmgauge_vm_kvm_halt')).toContain(
      'vmgauge_vm_kvm_halt_seconds_total{kind="poll_fail",instance_id="vm-1"} 0.030000002',
    );
  });

  it('has what is known of disks in words, escaped, and follows it', async () => {
    await asking.says(FULL_ANSWER);
    expect(await lines('vmgauge_vm_disk_info')).toEqual([
      'vmgauge_vm_disk_info{instance_id="vm-1",device="sd\\"0?",file="C:\\\\b",format="",read_only=""} 1',
      'vmgauge_vm_disk_info{instance_id="vm-1",device="virtio0",file="/img/a.qcow2",format="qcow2",read_only="false"} 1',
    ]);
    await asking.says({ disks: [{ device: 'virtio0', file: 'b\nc', readOnly: true, numbers: {} }] });
    expect(await lines('vmgauge_vm_disk_info')).toEqual([
      'vmgauge_vm_disk_info{instance_id="vm-1",device="virtio0",file="b?c",format="",read_only="true"} 1',
    ]);
    expect(await lines('vmgauge_vm_disk_info', { instances: new Set(['vm-2']) })).toEqual([]);
  });

  it('names VMMs only while they answer', async () => {
    expect(await lines('vmgauge_vm_vmm_info')).toEqual([]);
    await asking.says({ version: 'QEMU "7"' });
    expect(await lines('vmgauge_vm_vmm_info')).toEqual(['vmgauge_vm_vmm_info{instance_id="vm-1",dialogue="qmp",version="QEMU \\"7\\""} 1']);
  });

  it('is read by a strict parser in both formats, whatever devices are called', async () => {
    const names = ['"', '\\', '\n', '\ud800', '', 'é💥', '} 1\n# EOF\n', '__proto__'];
    const kvm = { counters: new Map(names.flatMap((name) => [[`${name}_exits`, 1] as const, [name, 2] as const])) };
    await asking.says({
      ...FULL_ANSWER,
      disks: names.map((device) => ({ device, file: device, numbers: { reads: 1 } })),
      vnics: names.map((device) => ({ device, numbers: { receivedBytes: 1 } })),
      kvm: { ...kvm, durations: new Map(), gauges: new Map() },
    });
    const text = parseExposition(await page(), 'text');
    parseExposition(await page({}, OPEN_METRICS), 'openmetrics');
    for (const family of ['vmgauge_vm_disk_reads_total', 'vmgauge_vm_vmm_network_received_bytes_total', 'vmgauge_vm_kvm_exits_total'])
      expect([family, text.find(({ name }) => name === family)?.samples.length]).toEqual([family, names.length]);
  });

  it('has families of these collectors by their groups', async () => {
    await asking.says(FULL_ANSWER);
    const families = new Set((await page({ collect: ['disks', 'kvm'] })).match(/^# TYPE \S+/gm)?.map((line) => line.slice(7)));
    expect(families).toContain('vmgauge_vm_disk_reads_total');
    expect(families).toContain('vmgauge_vm_kvm_exits_total');
    for (const name of families) expect(name).toMatch(/^vmgauge_vm_(disk|kvm|vmm_dropped_parts)/);
  });
});

it('a page about VMs that nobody asks has none of it, before an answer and after the last one', async () => {
  const ofVmms = /^# TYPE vmgauge_vm_(vmm|disk|guest|balloon|exits|kvm|migration|events|degraded)/m;
  expect(await page()).not.toMatch(ofVmms);
  await asking.says(FULL_ANSWER);
  expect(await page()).toMatch(ofVmms);
  asking.proc.clock.ms += 600_000;
  await asking.house.collection.sweep();
  expect(await page()).not.toMatch(ofVmms);
});

it('a family of several collectors is on the page as long as one of them concerns somebody', async () => {
  const { tables } = asking.house;
  const vcpus = tables.instances.columns.find(({ metric }) => metric.json === 'cpu.dropped_vcpus') ?? expect.fail('not declared');
  tables.begin();
  vcpus.back[asking.house.registry.get('vm-2').row] = 3;
  tables.publish();
  expect(await lines('vmgauge_vm_vmm_dropped_parts')).toEqual(['vmgauge_vm_vmm_dropped_parts{kind="vcpus",instance_id="vm-2"} 3']);
});
