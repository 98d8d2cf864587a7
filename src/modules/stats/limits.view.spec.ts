import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc, statLine } from '../../../test/fake-proc.js';
import { House } from '../../../test/house.js';
import { kernelSample } from '../../../test/kernel-samples.js';
import { StatsView } from './stats.view.js';

const GROUP = '/machine.slice/vm-1.scope';
const LOOK_MS = 5000;

let proc: FakeProc;
let house: House;
let view: StatsView;
beforeEach(() => {
  proc = new FakeProc();
  house = new House(proc.host());
  view = new StatsView(house.tables, house.collection, house.host);
  proc.addProcess(7);
  proc.write('7/cgroup', `0::${GROUP}\n`);
  write('cgroup.controllers', 'cpu io memory pids\n');
  house.told.records = [{ id: 'vm-1', process: { pid: 7 } }];
});
afterEach(async () => {
  expect(house.defects).toEqual([]);
  await house.close();
  proc.close();
});

const write = (path: string, text: string): void => proc.write(`sys/fs/cgroup/${path}`, text);
/** Of a cgroup in which there is nobody else. */
function own(files: Readonly<Record<string, string>>): void {
  write(`${GROUP}/cgroup.procs`, '7\n');
  for (const [name, text] of Object.entries(files)) write(`${GROUP}/${name}`, text);
}
async function read() {
  proc.clock.ms += LOOK_MS;
  await house.turn();
  return JSON.parse(view.json(house.registry.get('vm-1')));
}
const recorded = (...names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, kernelSample(`cgroup-v2-6.1/scope/${name}`)]));

describe('limits', () => {
  it('are null where the VM has no cgroup of its own, as is pressure', async () => {
    const { limits, pressure } = await read();
    expect([limits, pressure]).toEqual([null, null]);
  });

  it('stand behind process, with null for controllers that are off', async () => {
    own(recorded('io.stat', 'io.max'));
    proc.write('sys/dev/block/254:0/uevent', 'DEVNAME=vda\n');
    const document = await read();
    const words = Object.keys(document);
    expect(words.slice(words.indexOf('process'), words.indexOf('process') + 3)).toEqual(['process', 'limits', 'pressure']);
    const { limits } = document;
    expect([limits.memory, limits.pids]).toEqual([null, null]);
    expect(limits.io).toMatchObject({ read_bytes: 6422528, utilization_ratio: null, alert_level: null, utilization_device: null });
    expect(limits.io.devices).toEqual([
      {
        ...{ device: 'vda', number: '254:0', read_bytes: 6422528, write_bytes: 2097152, discard_bytes: 0 },
        ...{ read_operations: 49, write_operations: 513, discard_operations: 0 },
        ...{ read_limit_bytes_per_second: 4194304, write_limit_bytes_per_second: 4194304 },
        ...{ read_limit_operations_per_second: null, write_limit_operations_per_second: null },
      },
    ]);
  });

  it('of block devices name the one that is nearest to its end', async () => {
    own(recorded('io.stat', 'io.max'));
    proc.write('sys/dev/block/254:0/uevent', 'DEVNAME=vda\n');
    await read();
    write(`${GROUP}/io.stat`, kernelSample('cgroup-v2-6.1/scope/io.stat').replace('rbytes=6422528', `rbytes=${6422528 + 4194304 * 4}`));
    const { limits, rates } = await read();
    expect(limits.io).toMatchObject({ utilization_ratio: 0.8, alert_level: 0, utilization_of: 'read_bytes', utilization_device: 'vda' });
    expect(limits.io.limit_bytes_per_second).toBe(4194304);
    expect(rates).toMatchObject({ cgroup_io_read_bytes_per_second: (4194304 * 4) / 5, cgroup_io_write_bytes_per_second: 0 });
  });

  it('have an empty list where the VM used no device, and null where nobody can tell', async () => {
    own({ ...recorded('memory.current', 'memory.max'), 'io.stat': '' });
    expect((await read()).limits.io).toMatchObject({ read_bytes: 0, devices: [] });
    write(`${GROUP}/io.stat`, 'x\n');
    const { limits, collectors } = await read();
    expect(limits.io).toBeNull();
    expect(limits.memory).not.toBeNull();
    expect(collectors.cgroup_io).toMatchObject({ outcome: 'failed', reason: 'malformed' });
  });

  it('of a VM that has ended are those of its last sample', async () => {
    own(recorded('io.stat', 'io.max'));
    await read();
    proc.write('7/stat', statLine({ pid: 7, state: 'Z' }));
    await house.collection.sweep();
    const { state, limits } = JSON.parse(view.json(house.registry.get('vm-1')));
    expect(state).toBe('stopped');
    expect(limits.io.devices).toHaveLength(1);
  });
});
