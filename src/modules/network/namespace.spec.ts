import { beforeEach, describe, expect, it } from 'vitest';
import { errno } from '../../../test/fake-process.js';
import { kernelSample } from '../../../test/kernel-samples.js';
import type { NicKind } from '../../model/instance.js';
import type { KernelFile } from '../../model/process.js';
import { Side } from './direction.js';
import { type Door, NetworkNamespace, type Watcher } from './namespace.js';

/** A table that hands out no more than so many bytes a call, as the kernel does. */
class FakeTable implements KernelFile {
  text = kernelSample('qemu-7.2-kvm/net-dev');
  perCall = 4096;
  reads = 0;
  closed = 0;

  readAt(buffer: Buffer, offset: number, length: number, position: number): number {
    this.reads++;
    if (this.text === 'EIO') throw errno('EIO');
    return Buffer.from(this.text, 'latin1').copy(buffer, offset, position, position + Math.min(length, this.perCall));
  }
  identity = (): string => 'fake';
  close(): void {
    this.closed++;
  }
}

const nothing: Door = () => {
  throw errno('ENOENT');
};

class FakeWatcher implements Watcher {
  readonly owner = this;
  readonly taken: number[][] = [];
  readonly identified: number[] = [];
  readonly yields = false;
  readonly isUnidentified = false;
  broken = 0;

  constructor(
    readonly name: string,
    readonly kind: NicKind = 'tap',
    readonly door: Door = nothing,
  ) {}

  rivalled(): void {}
  identify(index: number): void {
    this.identified.push(index);
  }
  malformed(): void {
    this.broken++;
  }
  take(counters: Float64Array): void {
    this.taken.push([...counters]);
  }
}

let table: FakeTable;
let namespace: NetworkNamespace;
beforeEach(() => {
  table = new FakeTable();
  namespace = new NetworkNamespace('fake', table);
});

function pass(): void {
  for (const _ of namespace.pass());
}
const watch = (name: string, kind?: NicKind): FakeWatcher => {
  const watcher = new FakeWatcher(name, kind);
  namespace.watch(watcher);
  return watcher;
};
const NONE = Number.NaN;
const EXPTAP0 = [57782670, 1543, 0, 4, NONE, 1146410, 1477, 0, 0, NONE];
const AS_MACVTAP = [1146410, 1477, 0, 0, 0, 57782670, 1543, 0, 4, NONE];

describe('NetworkNamespace', () => {
  it('hands the counters of one line to whoever watches it, from the guest’s side', () => {
    const [tap, other, macvtap] = [watch('exptap0'), watch('nobody'), watch('exptap0', 'macvtap')];
    pass();
    expect(tap.taken).toEqual([EXPTAP0]);
    expect(macvtap.taken).toEqual([AS_MACVTAP]);
    expect(other.taken).toEqual([]);
  });

  it.each([1, 7, 100, 4096, 100_000])('gives the same whether the kernel hands out %d bytes a call or all', (perCall) => {
    table.perCall = perCall;
    const [first, last] = [watch('lo'), watch('exptap0')];
    pass();
    expect(first.taken).toHaveLength(1);
    expect(last.taken).toEqual([EXPTAP0]);
  });

  it('keeps a cut line over a pause in which somebody else reads', () => {
    const other = new NetworkNamespace('other', Object.assign(new FakeTable(), { text: `x${'9'.repeat(4000)}\n` }));
    table.perCall = 50;
    const tap = watch('exptap0');
    for (const _ of namespace.pass()) for (const _other of other.pass());
    expect(tap.taken).toEqual([EXPTAP0]);
  });

  it('follows an interface to another line, and stops when it is gone', () => {
    const tap = watch('exptap0');
    pass();
    table.text = table.text.replace(/^ *ifb\d.*\n/gm, '');
    pass();
    expect(tap.taken).toEqual([EXPTAP0, EXPTAP0]);
    table.text = table.text.replace('exptap0', 'exptap1');
    pass();
    expect(tap.taken).toHaveLength(2);
    expect(watch('exptap1').taken).toEqual([]);
  });

  it('gives no counters of a line that does not parse, and does not lose the others', () => {
    const [bad, good] = [watch('eth0'), watch('exptap0')];
    table.text = table.text.replace(/eth0: \d+/, 'eth0: x');
    pass();
    expect(bad.taken).toEqual([]);
    expect(bad.broken).toBe(1);
    expect(good.taken).toEqual([EXPTAP0]);
  });

  it('gives an unknown counter as unknown', () => {
    const tap = watch('exptap0');
    table.text = table.text.replace('1146410', '18446744073709551615');
    pass();
    expect(tap.taken[0][Side.txBytes]).toBeNaN();
    expect(tap.taken[0][Side.rxBytes]).toBe(57782670);
  });

  it('knows names that are not ASCII as fdinfo spells them', () => {
    table.text = table.text.replace('exptap0', Buffer.from('tapé').toString('latin1'));
    const tap = watch('tapé');
    pass();
    expect(tap.taken).toEqual([EXPTAP0]);
    expect(namespace.has('tapé')).toBe(true);
  });

  it('tells nobody who no longer watches', () => {
    const [tap, other] = [watch('exptap0'), watch('exptap0')];
    namespace.unwatch(tap);
    pass();
    expect(tap.taken).toEqual([]);
    expect(other.taken).toEqual([EXPTAP0]);
  });

  it('reads the names once until they are to be forgotten', () => {
    expect([namespace.has('exptap0'), namespace.has('nobody'), namespace.has(' face |bytes')]).toEqual([true, false, false]);
    const { reads } = table;
    namespace.has('lo');
    expect(table.reads).toBe(reads);
    table.text = table.text.replace('exptap0', 'exptap1');
    namespace.forgetNames();
    expect(namespace.has('exptap1')).toBe(true);
  });

  it('ends on a table without end', () => {
    const endless = new FakeTable();
    endless.readAt = (buffer, offset, length) => buffer.fill(`${'x'.repeat(4000)}: 1\n`, offset, offset + length).length && length;
    let steps = 0;
    for (const _ of new NetworkNamespace('endless', endless).pass()) steps++;
    expect(steps).toBeLessThan(5000);
    const oneLine = new FakeTable();
    oneLine.readAt = (buffer, offset, length) => buffer.fill('x', offset, offset + length).length && length;
    for (const _ of new NetworkNamespace('one line', oneLine).pass());
  });

  it('throws what reading throws', () => {
    table.text = 'EIO';
    expect(pass).toThrow('EIO');
  });

  describe('tells which device has a name', () => {
    const LISTED = [
      '2    eth0            1     0     01005e000001',
      '2    eth0            1     0     333300000001',
      '7    exptap0         1     0     333300000001',
      '7200 7               1     0     333300000001',
      '',
    ].join('\n');
    const door =
      (listed: string, identity = 'fake'): Door =>
      (which) => {
        const opened = new FakeTable();
        if (which === 'dev_mcast') opened.text = listed;
        return Object.assign(opened, { identity: () => identity });
      };
    const drain = (): boolean => {
      const steps = namespace.identify(1);
      let step = steps.next();
      while (!step.done) step = steps.next();
      return step.value;
    };

    it('to each watcher, through the first door that leads into the namespace', () => {
      const closed = new FakeWatcher('nobody', 'tap');
      const moved = new FakeWatcher('eth0', 'tap', door(LISTED, 'another'));
      const open = new FakeWatcher('exptap0', 'tap', door(LISTED));
      for (const watcher of [closed, moved]) namespace.watch(watcher);
      expect(drain()).toBe(false);
      expect([closed.identified, moved.identified]).toEqual([[NONE], [NONE]]);
      namespace.watch(open);
      expect(drain()).toBe(true);
      expect([closed.identified, moved.identified, open.identified]).toEqual([[NONE, NONE], [NONE, 2], [7]]);
    });

    it('once until it is to be forgotten, and never of a table that is cut', () => {
      expect(['exptap0', '7', 'eth0'].map((name) => namespace.indexOf(name, door(LISTED)))).toEqual([7, 7200, 2]);
      expect(namespace.indexOf('exptap0', door(''))).toBe(7);
      namespace.forgetNames();
      expect(namespace.indexOf('exptap0', door(LISTED.slice(0, -1)))).toBeNaN();
      namespace.forgetNames();
      expect(namespace.indexOf('exptap0', nothing)).toBeNaN();
    });

    it('and forgets whose the devices were that are gone, the oldest of very many', () => {
      namespace.watch(new FakeWatcher('exptap0', 'tap', door(LISTED)));
      namespace.owners.set(7, 'a').set(8, 'b');
      drain();
      expect([...namespace.owners.keys()]).toEqual([7, 8]);
      for (let index = 9; index <= 1032; index++) namespace.owners.set(index, 'c');
      drain();
      expect([namespace.owners.size, namespace.owners.has(7), namespace.owners.has(8), namespace.owners.has(1032)]).toEqual([
        ...[1025, true, false, true],
      ]);
    });
  });

  it('lets whoever watches a name know of a rival, unless that one yields', () => {
    const rivalled: string[] = [];
    const one = (owner: string, yields: boolean): Watcher =>
      Object.assign(new FakeWatcher('exptap0'), { owner, yields, rivalled: () => rivalled.push(owner) });
    namespace.watch(one('a', false));
    namespace.watch(one('b', true));
    expect(rivalled).toEqual([]);
    expect(namespace.isWatchedByOther('exptap0', 'a')).toBe(true);
    expect(namespace.isWatchedByOther('exptap1', 'a')).toBe(false);
    namespace.watch(one('c', false));
    namespace.watch(one('c', false));
    expect(rivalled).toEqual(['a', 'b', 'a', 'b']);
  });
});
