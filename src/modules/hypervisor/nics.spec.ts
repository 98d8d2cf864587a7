import { describe, expect, it } from 'vitest';
import { evidenceOf, tap } from '../../../test/contracts/process-evidence.js';
import { type DeclaredNic, joinTaps, parseMac, passthroughNic } from './nics.js';

const net = (device: string, rest: Partial<DeclaredNic> = {}): DeclaredNic => ({ kind: 'tap', device, ...rest });

describe('joinTaps', () => {
  it('joins by descriptor, then by name, then in order', () => {
    const declared = [net('a'), net('b', { interfaceName: 'tap1' }), net('c', { descriptors: [9] })];
    expect(joinTaps(declared, [tap(9, 'vnet9'), tap(7, 'tap1'), tap(8, 'tap0')])).toEqual([
      { kind: 'tap', device: 'a', name: 'tap0' },
      { kind: 'tap', device: 'b', name: 'tap1' },
      { kind: 'tap', device: 'c', name: 'vnet9' },
    ]);
  });

  it('makes one NIC of several queues', () => {
    expect(joinTaps([net('a', { descriptors: [4, 5] })], [tap(4, 'vnet0'), tap(5, 'vnet0')])).toEqual([
      { kind: 'tap', device: 'a', name: 'vnet0' },
    ]);
    expect(joinTaps([], [tap(4, 'vnet0'), tap(5, 'vnet0')])).toEqual([{ kind: 'tap', name: 'vnet0' }]);
    expect(joinTaps([net('a', { descriptors: [4, 5] })], [tap(4), tap(5)])).toEqual([{ kind: 'tap', device: 'a' }]);
    expect(joinTaps([net('a', { interfaceName: 'gone', queues: 2 })], [tap(4), tap(5), tap(6, 'x')])).toEqual([
      { kind: 'tap', device: 'a' },
      { kind: 'tap', name: 'x' },
    ]);
  });

  it('loses no interface to a NIC that claims the queues of two', () => {
    const taps = [tap(3, 'tap0'), tap(4, 'tap1')];
    expect(joinTaps([{ kind: 'tap', descriptors: [3, 4] }], taps).map(({ name }) => name)).toEqual(['tap0', 'tap1']);
  });

  it('believes the descriptor, not the name in argv', () => {
    expect(joinTaps([net('a', { interfaceName: 'old' })], [tap(4, 'new')])).toEqual([{ kind: 'tap', device: 'a', name: 'new' }]);
    expect(joinTaps([net('a', { interfaceName: 'eth0' })], [])).toEqual([{ kind: 'tap', device: 'a' }]);
  });

  it('takes the kind from the descriptor and leaves other NICs as they are', () => {
    const declared: DeclaredNic[] = [{ kind: 'user', device: 'u', mac: '52:54:00:00:00:01' }, net('a', { descriptors: [3] })];
    expect(joinTaps(declared, [{ fd: 3, kind: 'macvtap', name: 'macvtap0' }, tap(8, 'hot')])).toEqual([
      { kind: 'user', device: 'u', mac: '52:54:00:00:00:01' },
      { kind: 'macvtap', device: 'a', name: 'macvtap0' },
      { kind: 'tap', name: 'hot' },
    ]);
  });
});

describe('passthroughNic', () => {
  it('is a network controller, or a device of unknown class', () => {
    const of = (address: string, pciClass?: string) => passthroughNic(address, 'd', evidenceOf({ pciClass: () => pciClass })).length;
    expect(of('3b:00.1', '0x020000')).toBe(1);
    expect(of('/sys/bus/pci/devices/0000:3b:00.1/', '0x028000')).toBe(1);
    expect(of('0000:3b:00.1')).toBe(1);
    expect(of('0000:3b:00.1', '0x030000')).toBe(0);
    expect(of('/sys/bus/mdev/devices/0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11')).toBe(0);
  });
});

describe('parseMac', () => {
  it('has one spelling', () => {
    expect(['52-54-00-AA-BB-01', '52:54:00:aa:bb:01', '52:54:00', 'x', undefined].map(parseMac)).toEqual([
      '52:54:00:aa:bb:01',
      '52:54:00:aa:bb:01',
      undefined,
      undefined,
      undefined,
    ]);
  });
});
