import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import { kernelSample } from '../../../test/kernel-samples.js';
import { FakeSubject } from '../../../test/subject.js';
import { descriptorsHeld, type HeldFile } from '../../host/held.js';
import { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { CgroupIoCollector } from './cgroup-io.collector.js';

const ROOT = 'sys/fs/cgroup';
const NEXT_LOOK_MS = 60_000;

/** On which reading a held file can fail. */
class BreakingHost extends Host {
  private readonly files: { readonly path: string; error: Error | null }[] = [];

  /** Of those that are held now; what is opened at these paths later is another file. */
  spoil(part: string, error: Error | null): void {
    for (const file of this.files) if (file.path.includes(part)) file.error = error;
  }

  /** Opening such files is refused. */
  refused = '/nothing';

  override holdFile(path: string): HeldFile {
    if (path.includes(this.refused)) throw errno('EACCES');
    const held = super.holdFile(path);
    const file: { path: string; error: Error | null } = { path, error: null };
    this.files.push(file);
    const read = held.read.bind(held);
    held.read = (into) => {
      if (file.error) throw file.error;
      return read(into);
    };
    return held;
  }
}

let proc: FakeProc;
let host: BreakingHost;
let tables: Tables;
let collector: CgroupIoCollector;
let process: FakeProcess;
let subject: FakeSubject;
let heldBefore: number;
beforeEach(() => {
  heldBefore = descriptorsHeld();
  proc = new FakeProc();
  tables = new Tables();
  host = new BreakingHost(proc.host().roots, proc.clock);
  collector = new CgroupIoCollector(tables, host);
  process = new FakeProcess();
  subject = new FakeSubject(process);
  subject.row = tables.instances.add(subject);
  write('cgroup.controllers', 'io\n');
  collector.attach(subject);
});
afterEach(() => {
  collector.detach(subject);
  expect(descriptorsHeld()).toBe(heldBefore);
  expect(tables.cgroupDevices.size).toBe(0);
  proc.close();
});

const write = (path: string, text: string): void => proc.write(`${ROOT}/${path}`, text);
const remove = (path: string): void => rmSync(join(proc.root, ROOT, path), { recursive: true });
/** In a cgroup in which nobody else is. */
function stand(path: string): void {
  process.files.set('cgroup', `0::${path}\n`);
  write(`${path}/cgroup.procs`, `${process.pid}\n`);
}
const stat = (bytes: number, device = '254:0'): string => `${device} rbytes=${bytes} wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n`;

/** As the house does. */
function sweep(): Outcome {
  tables.begin();
  collector.begin();
  const outcome = collector.collect(subject);
  if (outcome !== Outcome.ok) {
    for (const { back } of tables.instances.columns) back[subject.row] = Number.NaN;
    collector.clear(subject);
  }
  tables.publish();
  return outcome;
}

/** Cells of each device, without those that are empty. */
function devices(): Record<string, Record<string, unknown>> {
  const { columns, order } = tables.cgroupDevices;
  const cells = (row: number) =>
    Object.fromEntries(columns.filter(({ front }) => !Number.isNaN(front[row])).map(({ metric, front }) => [metric.json, front[row]]));
  return Object.fromEntries(order.keys.map(({ name, words }, i) => [name, { number: words?.number, ...cells(order.rows[i]) }]));
}
const total = (word: string): number | undefined =>
  tables.instances.columns.find(({ metric }) => metric.json === `limits.io.${word}`)?.front[subject.row];

describe('version 2', () => {
  it('reads a recorded tree, and names the device', () => {
    stand('/machine.slice/vm-1.scope');
    write('machine.slice/vm-1.scope/io.stat', kernelSample('cgroup-v2-6.1/scope/io.stat'));
    write('machine.slice/vm-1.scope/io.max', kernelSample('cgroup-v2-6.1/scope/io.max'));
    write('machine.slice/io.max', kernelSample('cgroup-v2-6.1/slice/io.max'));
    proc.write('sys/dev/block/254:0/uevent', 'MAJOR=254\nMINOR=0\nDEVNAME=vda\nDEVTYPE=disk\n');
    expect(sweep()).toBe(Outcome.ok);
    expect(devices()).toEqual({
      vda: {
        number: '254:0',
        ...{
          read_bytes: 6422528,
          write_bytes: 2097152,
          discard_bytes: 0,
          read_operations: 49,
          write_operations: 513,
          discard_operations: 0,
        },
        ...{ read_limit_bytes_per_second: 4194304, write_limit_bytes_per_second: 4194304 },
      },
    });
    expect(['read_bytes', 'write_operations'].map(total)).toEqual([6422528, 513]);
  });

  it('takes the least of the limits above, device by device, as they are now', () => {
    stand('/a.slice/vm');
    write('a.slice/vm/io.stat', stat(1) + stat(10, '8:0'));
    write('a.slice/vm/io.max', '254:0 rbps=500 wbps=max riops=7 wiops=max\n');
    write('a.slice/io.max', '254:0 rbps=900 wbps=30 riops=6 wiops=max\n8:16 rbps=1 wbps=max riops=max wiops=max\n');
    sweep();
    expect(devices()).toMatchObject({
      '254:0': { read_limit_bytes_per_second: 500, write_limit_bytes_per_second: 30, read_limit_operations_per_second: 6 },
      '8:0': { read_bytes: 10 },
      '8:16': { number: '8:16', read_limit_bytes_per_second: 1 },
    });
    expect(devices()['8:16']).not.toHaveProperty('read_bytes');
    expect(devices()['8:0']).not.toHaveProperty('read_limit_bytes_per_second');
    // Of the device that is limited and was never used nothing is added.
    expect(total('read_bytes')).toBe(11);
    write('a.slice/io.max', '254:0 rbps=400 wbps=max riops=max wiops=max\n');
    sweep();
    expect(devices()['254:0']).toMatchObject({ read_limit_bytes_per_second: 400, read_limit_operations_per_second: 7 });
    expect(devices()['254:0']).not.toHaveProperty('write_limit_bytes_per_second');
    expect(devices()['8:16']).toEqual({ number: '8:16' });
  });

  it('never goes back when the kernel forgets a device', () => {
    stand('/vm');
    write('vm/io.stat', stat(100));
    sweep();
    write('vm/io.stat', '');
    sweep();
    expect(devices()['254:0']).toMatchObject({ read_bytes: 100 });
    write('vm/io.stat', stat(7));
    sweep();
    expect(devices()['254:0']).toMatchObject({ read_bytes: 107 });
  });

  it('has no device and moved nothing where the kernel tells of none', () => {
    stand('/vm');
    write('vm/io.stat', '');
    expect(sweep()).toBe(Outcome.ok);
    expect(devices()).toEqual({});
    expect(total('read_bytes')).toBe(0);
  });

  it('is not known in sum where it is not known of one', () => {
    stand('/vm');
    write('vm/io.stat', `${stat(1)}8:0 rbytes=18446744073709551615 wbytes=3\n`);
    sweep();
    expect([total('read_bytes'), total('write_bytes')]).toEqual([Number.NaN, 5]);
    expect(devices()['8:0']).toEqual({ number: '8:0', write_bytes: 3 });
  });

  it('is not configured where the controller is off, or the cgroup is not the VM’s own', () => {
    stand('/vm');
    expect(sweep()).toBe(Outcome.notConfigured);
    write('vm/io.stat', stat(1));
    write('vm/cgroup.procs', `${process.pid}\n1\n`);
    proc.write('1/stat', '1 (init) S 0 1 1\n');
    collector.devices(subject);
    expect(sweep()).toBe(Outcome.notConfigured);
    expect(total('read_bytes')).toBeNaN();
  });
});

describe('version 1', () => {
  const at = (file: string): string => `blkio/vm/blkio.throttle.${file}`;
  beforeEach(() => {
    remove('cgroup.controllers');
    write('unified/cgroup.controllers', '\n');
    process.files.set('cgroup', '3:blkio:/vm\n0::/\n');
    for (const path of [...process.files.keys()]) if (/^task\/\d+\/cgroup$/.test(path)) process.files.delete(path);
    write('blkio/vm/cgroup.procs', `${process.pid}\n`);
  });
  const sample = (name: string): string => kernelSample(`cgroup-v1-6.18/blkio/${name}`);

  it.each(['_recursive', ''])('reads what the throttle counts%s, and its limits, which are not those of the cgroups above', (suffix) => {
    for (const file of ['io_service_bytes', 'io_serviced']) write(at(`${file}${suffix}`), sample(file));
    for (const file of ['write_bps_device', 'write_iops_device', 'read_bps_device']) write(at(file), sample(file));
    write('blkio/blkio.throttle.read_bps_device', '254:0 1\n');
    expect(sweep()).toBe(Outcome.ok);
    expect(devices()).toEqual({
      '254:0': {
        number: '254:0',
        ...{ read_bytes: 122880, write_bytes: 6291456, discard_bytes: 0, read_operations: 10, write_operations: 12, discard_operations: 0 },
        ...{ write_limit_bytes_per_second: 4194304, write_limit_operations_per_second: 100 },
      },
    });
    write(at('write_bps_device'), '');
    sweep();
    expect(devices()['254:0']).not.toHaveProperty('write_limit_bytes_per_second');
  });

  it('holds nothing where one of its files may not be opened', () => {
    for (const file of ['io_service_bytes', 'io_serviced', 'read_bps_device', 'write_iops_device'])
      write(at(file), sample('read_bps_device'));
    host.refused = 'write_iops_device';
    expect(sweep()).toBe(Outcome.notPermitted);
    expect(descriptorsHeld()).toBe(heldBefore);
  });

  it('is not configured without the files', () => {
    write(at('io_service_bytes'), sample('io_service_bytes'));
    expect(sweep()).toBe(Outcome.notConfigured);
  });
});

describe('what goes wrong', () => {
  beforeEach(() => {
    stand('/vm');
    write('vm/io.stat', stat(100));
    write('vm/io.max', '254:0 rbps=5 wbps=max riops=max wiops=max\n');
    expect(sweep()).toBe(Outcome.ok);
  });

  it.each(['io.stat', 'io.max'])('garbage in %s costs no later sweep its numbers', (file) => {
    const good = file === 'io.stat' ? stat(101) : '254:0 rbps=6 wbps=max riops=max wiops=max\n';
    write(`vm/${file}`, good.slice(0, -1));
    expect(sweep()).toBe(Outcome.malformed);
    expect([devices(), total('read_bytes')]).toEqual([{}, Number.NaN]);
    write(`vm/${file}`, good);
    expect(sweep()).toBe(Outcome.ok);
    expect(devices()).toMatchObject({
      '254:0': { read_bytes: file === 'io.stat' ? 101 : 100, read_limit_bytes_per_second: file === 'io.max' ? 6 : 5 },
    });
  });

  it('a text that was right before comes back the same', () => {
    host.spoil('io.stat', errno('EIO'));
    expect(sweep()).toBe(Outcome.ioError);
    expect(devices()).toEqual({});
    host.spoil('io.stat', null);
    expect(sweep()).toBe(Outcome.ok);
    expect(devices()).toMatchObject({ '254:0': { read_bytes: 100 } });
    expect(total('read_bytes')).toBe(100);
  });

  it.each([
    ['EACCES', Outcome.notPermitted],
    ['EOPNOTSUPP', Outcome.unsupported],
  ])('%s has its own outcome', (code, outcome) => {
    host.spoil('io.max', errno(code));
    expect(sweep()).toBe(outcome);
  });

  it('a longer text than any is too large', () => {
    write('vm/io.stat', stat(1).repeat(2000));
    expect(sweep()).toBe(Outcome.tooLarge);
  });

  it('a removed cgroup is looked for at once, and what the next one had counted before is not the VM’s', () => {
    host.spoil('vm/io.stat', errno('ENODEV'));
    stand('/new');
    write('new/io.stat', stat(5000));
    expect(sweep()).toBe(Outcome.ok);
    expect(devices()['254:0']).toMatchObject({ read_bytes: 100 });
    write('new/io.stat', stat(5001));
    sweep();
    expect(devices()['254:0']).toMatchObject({ read_bytes: 101 });
  });

  it('a cgroup that is removed and made anew under its name is another one', () => {
    host.spoil('/vm/', errno('ENODEV'));
    write('vm/io.stat', stat(40));
    expect(sweep()).toBe(Outcome.ok);
    write('vm/io.stat', stat(42));
    sweep();
    expect(devices()['254:0']).toMatchObject({ read_bytes: 102 });
  });

  it('a VM that moves is found within a minute', () => {
    stand('/new');
    write('new/io.stat', stat(1));
    sweep();
    write('vm/io.stat', stat(101));
    sweep();
    expect(devices()['254:0']).toMatchObject({ read_bytes: 101 });
    proc.clock.ms += NEXT_LOOK_MS;
    sweep();
    write('new/io.stat', stat(3));
    sweep();
    expect(devices()['254:0']).toMatchObject({ read_bytes: 103 });
    expect(devices()['254:0']).not.toHaveProperty('read_limit_bytes_per_second');
  });

  it('holds nothing where io.max may not be opened', () => {
    host.refused = 'io.max';
    stand('/new');
    write('new/io.stat', stat(1));
    write('new/io.max', '');
    collector.devices(subject);
    expect(sweep()).toBe(Outcome.notPermitted);
    expect(descriptorsHeld()).toBe(heldBefore);
  });

  it('a process that is gone has nothing', () => {
    subject.process = null;
    expect(sweep()).toBe(Outcome.gone);
    expect(devices()).toEqual({});
  });
});

it('holds files of a slice once for all VMs in it, and reads them once a sweep', () => {
  write('a.slice/io.max', '');
  const other = new FakeSubject(new FakeProcess(), 'vm-2');
  other.row = tables.instances.add(other);
  collector.attach(other);
  stand('/a.slice/one');
  write('a.slice/one/io.stat', stat(1));
  sweep();
  const held = descriptorsHeld() - heldBefore;
  expect(held).toBe(2);
  process.files.set('cgroup', '0::/a.slice/one\n');
  write('a.slice/two/io.stat', stat(1));
  write('a.slice/two/cgroup.procs', '4242\n');
  (other.process as FakeProcess).files.set('cgroup', '0::/a.slice/two\n');
  collector.collect(other);
  expect(descriptorsHeld() - heldBefore).toBe(3);
  collector.detach(other);
  expect(descriptorsHeld() - heldBefore).toBe(2);
});
