import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { House, ToldSource } from '../../../test/house.js';
import { sandboxRecord, ToldSandboxes } from '../../../test/sandboxes.js';
import type { InstanceSource } from '../../model/instance.js';
import { KataFamilies } from './kata-families.js';
import { KataMonitor } from './kata-monitor.js';

let proc: FakeProc;
let house: House;
beforeEach(() => {
  proc = new FakeProc();
  house = new House(proc.host(), (tables) => [new ToldSandboxes(tables)]);
});
afterEach(async () => {
  await house.close();
  proc.close();
});

function families(sources: readonly InstanceSource[] = [house.told]) {
  house.settings.exporterMetrics = false;
  return new KataFamilies(house.tables, new KataMonitor(house.registry, house.host, house.settings), sources).families();
}
const samples = (name: string, sources?: readonly InstanceSource[]) =>
  [
    ...(families(sources)
      .find((family) => family.name === name)
      ?.samples() ?? []),
  ].map(({ labels, value }) => `{${labels} ${value}`);

const looking = (present: boolean): InstanceSource =>
  Object.assign(new ToldSource('kata'), {
    directories: {
      present,
      roots: [
        { root: '/run/vc/sbs', counts: { live: 2, stale: 1, phantom: 0 } },
        { root: '/run/kata', counts: { live: 0, stale: 0, phantom: 3 } },
      ],
    },
  });

describe('the families of Kata', () => {
  it('are none where Kata is not, nor where a source has directories of another kind', () => {
    expect(families()).toEqual([]);
    expect(families([looking(false)])).toEqual([]);
    expect(families([Object.assign(new ToldSource(), { directories: ['/srv'] })])).toEqual([]);
  });

  it('are there as soon as Kata is, before any sandbox runs', () => {
    expect(families([looking(true)]).map(({ name }) => name)).toEqual([
      'kata_monitor_running_shim_count',
      'vmgauge_kata_directories',
      'vmgauge_vm_pod_info',
      'vmgauge_vm_pod_metadata_missing',
    ]);
    expect(samples('vmgauge_kata_directories', [looking(true)])).toEqual([
      '{root="/run/kata",state="live" 0',
      '{root="/run/kata",state="phantom" 3',
      '{root="/run/kata",state="stale" 0',
      '{root="/run/vc/sbs",state="live" 2',
      '{root="/run/vc/sbs",state="phantom" 0',
      '{root="/run/vc/sbs",state="stale" 1',
    ]);
  });

  it('name the pod of each sandbox, and show where nobody does', async () => {
    for (const pid of [7, 8, 9]) proc.addProcess(pid);
    house.told.records = [
      sandboxRecord('b', 7),
      sandboxRecord('a', 8, { sandbox: { vmmInShim: true, runtime: 'rust', pod: { name: 'x' } } }),
      { id: 'vm', process: { pid: 9 } },
    ];
    await house.turn();
    expect(samples('vmgauge_vm_pod_info')).toEqual([
      '{instance_id="a",pod_uid="",pod_name="x",pod_namespace="",runtime="rust"}  1',
      '{instance_id="b",pod_uid="uid-b",pod_name="pod-b",pod_namespace="shop",runtime="go"}  1',
    ]);
    expect(samples('vmgauge_vm_pod_metadata_missing')).toEqual(['{instance_id="a"}  1', '{instance_id="b"}  0']);
    house.told.records = [sandboxRecord('a', 8)];
    await house.turn();
    expect(samples('vmgauge_vm_pod_info')).toEqual([
      '{instance_id="a",pod_uid="uid-a",pod_name="pod-a",pod_namespace="shop",runtime="go"}  1',
    ]);
    expect(samples('vmgauge_vm_pod_metadata_missing')).toEqual(['{instance_id="a"}  0']);
  });
});
