import { beforeEach, describe, expect, it } from 'vitest';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import { truncations } from '../../../test/kernel-samples.js';
import type { Nic } from '../../model/instance.js';
import type { KernelFile } from '../../model/process.js';
import { isSameDevice, TapDevices, tapNames } from './tap-devices.js';

const tap = (name: string): Nic => ({ kind: 'tap', name });
const line = (index: number, name: string): string => `${index}    ${name}            1     0     333300000001\n`;

/** A process whose files are of the namespaces that the test says. */
class Vmm extends FakeProcess {
  readonly opened: string[] = [];
  /** By directory: '' or `task/<thread>/`. */
  readonly namespaces = new Map<string, string>();

  override open(file: string): KernelFile {
    this.opened.push(file);
    const directory = file.replace(/n(s|et)\/\w+$/, '');
    const identity = this.namespaces.get(directory);
    if (identity === undefined) throw errno('EACCES');
    if (file.endsWith('ns/net')) return { readAt: () => 0, identity: () => identity, close: () => undefined };
    return super.open(file);
  }

  has(directory: string, inode: number | string, devices: string): void {
    this.namespaces.set(directory, `4:${inode}`);
    this.files.set(`${directory}net/dev_mcast`, devices);
  }
}

let vmm: Vmm;
let taps: TapDevices;
beforeEach(() => {
  vmm = new Vmm(new Map([['stat', '']]));
  taps = new TapDevices();
});

it('only taps that have a name are meant', () => {
  expect(tapNames([tap('a'), tap('a'), { kind: 'tap' }, { kind: 'user', name: 'b' }, { kind: 'macvtap', name: 'c' }])).toEqual(
    new Set(['a']),
  );
  expect(tapNames(null).size).toBe(0);
});

it('a device is the same by namespace and index', () => {
  const one = { namespace: 5, index: 7 };
  expect([isSameDevice(one, { ...one }), isSameDevice(one, { ...one, index: 8 }), isSameDevice(one, { ...one, namespace: 6 })]).toEqual([
    true,
    false,
    false,
  ]);
});

describe('taps', () => {
  it('are found by name, in the namespace of the process', () => {
    vmm.has('', 4_026_532_000, line(2, 'eth0') + line(7, 'tap7') + line(7, 'tap7') + line(9, 'tap9'));
    expect(taps.of(vmm, [tap('tap9'), tap('nowhere'), tap('tap7')])).toEqual([
      { namespace: 4_026_532_000, index: 9 },
      { namespace: 4_026_532_000, index: 7 },
    ]);
  });

  it('are looked for with its threads, and only for as long as one is missing', () => {
    vmm.has('', 5, line(2, 'eth0'));
    vmm.has('task/11/', 6, line(3, 'tap0_kata'));
    vmm.has('task/12/', 7, line(4, 'tap0_kata'));
    expect(taps.of(vmm, [tap('tap0_kata')])).toEqual([{ namespace: 6, index: 3 }]);
    expect(vmm.opened.some((file) => file.startsWith('task/12/'))).toBe(false);
  });

  it('cost nothing where there are none', () => {
    expect([taps.of(vmm, null), taps.of(vmm, []), taps.of(vmm, [{ kind: 'user' }])]).toEqual([[], [], []]);
    expect(vmm.opened).toEqual([]);
  });

  it('are read once a namespace, until they are forgotten', () => {
    const other = new Vmm(new Map([['stat', '']]));
    vmm.has('', 5, line(7, 'tap7'));
    other.has('', 5, line(7, 'tap7') + line(8, 'tap8'));
    expect(taps.of(vmm, [tap('tap7')])).toHaveLength(1);
    expect(taps.of(other, [tap('tap8')])).toEqual([]);
    taps.forget();
    expect(taps.of(other, [tap('tap8')])).toEqual([{ namespace: 5, index: 8 }]);
  });

  it('are bounded, in threads and in number', () => {
    for (let thread = 0; thread < 200; thread++) vmm.has(`task/${1000 + thread}/`, 10 + thread, '');
    expect(taps.of(vmm, [tap('nowhere')])).toEqual([]);
    expect(new Set(vmm.opened.map((file) => file.replace(/n(s|et)\/\w+$/, ''))).size).toBe(65);
    const many = Array.from({ length: 200 }, (_, i) => `tap${i}`);
    vmm.has('', 5, many.map((name, i) => line(i + 1, name)).join(''));
    expect(taps.of(vmm, many.map(tap))).toHaveLength(64);
  });
});

describe('of what cannot be read', () => {
  it('nothing is found, and what can be read is', () => {
    expect(taps.of(vmm, [tap('tap7')])).toEqual([]);
    vmm.files.set('task', errno('ESRCH'));
    expect(taps.of(vmm, [tap('tap7')])).toEqual([]);
    vmm.files.delete('task');
    vmm.has('', 5, '');
    vmm.files.set('net/dev_mcast', errno('EINVAL'));
    vmm.has('task/11/', 6, line(7, 'tap7'));
    expect(taps.of(vmm, [tap('tap7')])).toEqual([{ namespace: 6, index: 7 }]);
  });

  it.each(['', '0', '-3', 'net'])('a namespace with the number %j is none', (inode) => {
    vmm.has('', inode, line(7, 'tap7'));
    expect(taps.of(vmm, [tap('tap7')])).toEqual([]);
  });

  it('a failure is not remembered', () => {
    vmm.has('', 5, '');
    vmm.files.set('net/dev_mcast', errno('EMFILE'));
    expect(taps.of(vmm, [tap('tap7')])).toEqual([]);
    vmm.has('', 5, line(7, 'tap7'));
    expect(taps.of(vmm, [tap('tap7')])).toHaveLength(1);
  });

  it('a cut line is no other tap', () => {
    const text = `${line(2, 'eth0')}${line(71, 'tap71')}`;
    for (const cut of truncations(text)) {
      vmm.has('', 5, cut);
      taps.forget();
      for (const { index } of taps.of(vmm, ['tap', 'tap7', 'tap71', 'e', 'eth0'].map(tap))) expect([2, 71]).toContain(index);
      expect(taps.of(vmm, [tap('tap7')])).toEqual([]);
    }
  });

  it('a file larger than any is nothing', () => {
    vmm.has('', 5, line(7, 'tap7').repeat(120_000));
    expect(taps.of(vmm, [tap('tap7')])).toEqual([]);
  });
});
