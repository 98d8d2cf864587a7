import { beforeEach, describe, expect, it } from 'vitest';
import { errno } from '../../../test/fake-process.js';
import { kernelSample } from '../../../test/kernel-samples.js';
import type { NicKind } from '../../model/instance.js';
import type { KernelFile } from '../../model/process.js';
import { Side } from './direction.js';
import { NetworkNamespace, type Watcher } from './namespace.js';

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

class FakeWatcher implements Watcher {
  readonly owner = this;
  readonly taken: number[][] = [];
  broken = 0;

  constructor(
    readonly name: string,
    readonly kind: NicKind = 'tap',
  ) {}

  rivalled(): void {}
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
const EXPTAP0 = [57782670, 1543, 0, 4, 1146410, 1477, 0, 0];

describe('NetworkNamespace', () => {
  it('hands the counters of one line to whoever watches it, from the guest’s side', () => {
    const [tap, other, macvtap] = [watch('exptap0'), watch('nobody'), watch('exptap0', 'macvtap')];
    pass();
    expect(tap.taken).toEqual([EXPTAP0]);
    expect(macvtap.taken).toEqual([[...EXPTAP0.slice(4), ...EXPTAP0.slice(0, 4)]]);
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
});
