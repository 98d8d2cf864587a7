import { describe, expect, it } from 'vitest';
import { kernelSample } from '../../../test/kernel-samples.js';
import type { Hypervisor } from '../../model/instance.js';
import { type MappedMemory, mappingsOf } from '../procfs/smaps.js';
import { guestMappings } from './guest-mappings.js';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

interface Sketch extends Partial<MappedMemory> {
  readonly mib: number;
}

/** Mappings of these sizes one after the other, `gap` KiB apart. */
function lay(sketches: readonly Sketch[], gap = 4): MappedMemory[] {
  let at = 0x7f0000000000;
  return sketches.map(({ mib, ...more }) => {
    const start = at;
    const end = start + mib * MIB;
    at = end + gap * 1024;
    const nothing = { residentBytes: 0, hugetlbBytes: 0, transparentHugeBytes: 0, swappedBytes: 0 };
    return { start, end, permissions: 'rw-p', offset: 0, inode: '0', path: '', flags: ['rd', 'wr'], ...nothing, ...more };
  });
}

/** Sizes in MiB of what is found to be guest RAM, in the order of addresses; null where nothing is. */
function found(mappings: readonly MappedMemory[], hypervisor: Hypervisor | undefined, allocated: number | undefined): number[] | null {
  const guest = guestMappings(mappings, hypervisor, allocated);
  return guest && mappings.filter((mapping) => guest.has(mapping)).map(({ start, end }) => (end - start) / MIB);
}

const recorded = (recording: string): MappedMemory[] => [...mappingsOf(kernelSample(`${recording}/smaps`))].flatMap((one) => one ?? []);
const BLOCK = { flags: ['rd', 'wr', 'mr', 'mw', 'me', 'dc', 'ac', 'hg', 'mg'] };

describe('guest RAM of QEMU', () => {
  it.each(['qemu-7.2-memfd', 'qemu-7.2-anonymous'])('is what %s keeps from its children', (recording) => {
    const sizes = found(recorded(recording), 'qemu', 96 * MIB) ?? expect.fail('nothing found');
    expect(sizes).toContain(96);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(96 + 18);
    expect(found(recorded(recording), 'qemu', undefined)).toEqual(sizes);
  });

  it('has in it what was plugged in, and both NUMA nodes', () => {
    const mappings = lay([{ mib: 512, ...BLOCK }, { mib: 64 }, { mib: 512, ...BLOCK }, { mib: 256, ...BLOCK }]);
    expect(found(mappings, 'qemu', GIB)).toEqual([512, 512, 256]);
  });

  it('is on hugetlbfs wherever that is mounted', () => {
    const huge = { path: '/mnt/huge/pc.ram', flags: [...BLOCK.flags, 'ht'] };
    expect(
      found(
        lay([
          { mib: 1024, ...huge },
          { mib: 16, ...BLOCK },
        ]),
        'qemu',
        GIB,
      ),
    ).toEqual([1024, 16]);
  });

  it('is a file only where nothing else is large enough', () => {
    const disk = { ...BLOCK, permissions: 'rw-s', path: '/var/lib/image.raw' };
    expect(
      found(
        lay([
          { mib: 1024, ...BLOCK },
          { mib: 256, ...disk },
        ]),
        'qemu',
        GIB,
      ),
    ).toEqual([1024]);
    expect(
      found(
        lay([
          { mib: 1024, ...disk },
          { mib: 16, ...BLOCK },
        ]),
        'qemu',
        GIB,
      ),
    ).toEqual([1024, 16]);
  });

  it('cannot be told where its marks are missing or too small', () => {
    expect(found(lay([{ mib: 1024 }]), 'qemu', GIB)).toBeNull();
    expect(found(lay([{ mib: 512, ...BLOCK }, { mib: 512 }]), 'qemu', GIB)).toBeNull();
    expect(found([], 'qemu', undefined)).toBeNull();
  });
});

describe.each(['firecracker', 'cloud-hypervisor', 'stratovirt', undefined] as const)('guest RAM of %s', (hypervisor) => {
  it('is the one mapping that has the allocated size', () => {
    const mappings = lay([{ mib: 2048 }, { mib: 64 }, { mib: 128 }, { mib: 128, permissions: '---p' }, { mib: 128, path: '[heap]' }]);
    expect(found(mappings, hypervisor, 128 * MIB)).toEqual([128]);
    expect(found(lay([{ mib: 128, path: '/snapshot/memory' }, { mib: 64 }]), hypervisor, 128 * MIB)).toEqual([128]);
  });

  it('is both sides of the hole below 4 GiB', () => {
    expect(found(lay([{ mib: 3072 }, { mib: 8 }, { mib: 5120 }, { mib: 64 }]), hypervisor, 8 * GIB)).toEqual([3072, 5120]);
  });

  it('is one mapping still when the kernel cut it into several', () => {
    const cut = lay([{ mib: 100, flags: ['rd', 'mg'] }, { mib: 28 }], 0);
    expect(
      found([...cut, ...lay([{ mib: 64 }]).map((one) => ({ ...one, start: one.start + GIB, end: one.end + GIB }))], hypervisor, 128 * MIB),
    ).toEqual([100, 28]);
    const many = lay(
      Array.from({ length: 64 }, (_, i) => ({ mib: 2, flags: i % 2 === 0 ? ['hg'] : ['nh'] })),
      0,
    );
    expect(found(many, hypervisor, 128 * MIB)).toEqual(many.map(() => 2));
    const ofFile = lay(
      [
        { mib: 100, path: '/memfd:ram' },
        { mib: 28, path: '/memfd:ram', offset: 100 * MIB, flags: ['hg'] },
      ],
      0,
    );
    expect(found(ofFile, hypervisor, 128 * MIB)).toEqual([100, 28]);
  });

  it('is not guessed', () => {
    // Two that fit, none that fits, a size that nobody knows.
    expect(found(lay([{ mib: 128 }, { mib: 128 }]), hypervisor, 128 * MIB)).toBeNull();
    expect(found(lay([{ mib: 127 }, { mib: 2 }]), hypervisor, 128 * MIB)).toBeNull();
    expect(found(lay([{ mib: 128 }]), hypervisor, undefined)).toBeNull();
    expect(found(lay([{ mib: 128 }]), hypervisor, 0)).toBeNull();
    // Parts of two files are not one mapping.
    expect(
      found(
        lay(
          [
            { mib: 100, path: '/memfd:a' },
            { mib: 20, path: '/memfd:b' },
          ],
          0,
        ),
        hypervisor,
        128 * MIB,
      ),
    ).toBeNull();
    expect(found([], hypervisor, 128 * MIB)).toBeNull();
  });

  it('is found in time among many mappings', () => {
    expect(found(lay([...Array.from({ length: 5000 }, () => ({ mib: 3 })), { mib: 128 }]), hypervisor, 128 * MIB)).toEqual([128]);
  });
});
