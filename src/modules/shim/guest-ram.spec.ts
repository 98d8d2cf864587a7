import { describe, expect, it } from 'vitest';
import { inUsedBuffer, kernelSample, truncations } from '../../../test/kernel-samples.js';
import { type GuestRam, guestRamIn, leastBytesOf, residentParts } from './guest-ram.js';

const MIB = 1024 * 1024;
const RAM = 96 * MIB;
const LEAST = leastBytesOf(RAM);
const NONE: GuestRam = { sharedBytes: 0, privateBytes: 0, fileBytes: 0 };
const ANY = { sharedBytes: expect.any(Number), privateBytes: expect.any(Number), fileBytes: expect.any(Number) };

const ramIn = (maps: string, least = LEAST): GuestRam | null => guestRamIn(...inUsedBuffer(maps), least);
/** A line of maps. */
const mapping = (mib: number, perms: string, path = ''): string =>
  `7f0000000000-${(0x7f0000000000 + mib * MIB).toString(16)} ${perms} 00000000 00:01 7      ${path}\n`;

describe('guest RAM', () => {
  it('of recorded QEMUs is the one mapping that memory was asked for', () => {
    expect(ramIn(kernelSample('qemu-7.2-memfd/maps'))).toEqual({ ...NONE, sharedBytes: RAM });
    expect(ramIn(kernelSample('qemu-7.2-anonymous/maps'))).toEqual({ ...NONE, privateBytes: RAM });
    expect(ramIn(kernelSample('qemu-7.2-memfd/maps'), leastBytesOf(undefined))).toEqual({ ...NONE, sharedBytes: RAM });
  });

  it.each([
    ['QEMU’s memfd', 'rw-s', '/memfd:memory-backend-memfd (deleted)', 'sharedBytes'],
    ['a file on tmpfs', 'rw-s', '/dev/shm/qemu_back_mem.ram.Ny8cqy (deleted)', 'sharedBytes'],
    ['Cloud Hypervisor’s memfd', 'rw-s', '/memfd:ch_ram (deleted)', 'sharedBytes'],
    ['shared anonymous memory', 'rw-s', '/dev/zero (deleted)', 'sharedBytes'],
    ['shared memory with a name', 'rw-s', '[anon_shmem:guest]', 'sharedBytes'],
    ['hugetlbfs', 'rw-s', '/dev/hugepages/qemu_back_mem (deleted)', 'sharedBytes'],
    ['private pages of hugetlbfs', 'rw-p', '/anon_hugepage (deleted)', 'sharedBytes'],
    ['private anonymous memory', 'rw-p', '', 'privateBytes'],
    ['private memory with a name', 'rw-p', '[anon:guest]', 'privateBytes'],
    ['private pages of a memfd', 'rw-p', '/memfd:ch_ram (deleted)', 'privateBytes'],
    ['private pages of a file', 'rw-p', '/run/vc/vm/template/memory', 'privateBytes'],
    ['a file on a disk', 'rw-s', '/var/lib/guest/memory', 'fileBytes'],
  ] as const)('on %s', (_, perms, path, kind) => {
    expect(ramIn(mapping(96, perms, path))).toEqual({ ...NONE, [kind]: RAM });
  });

  it('is no heap, no stack, no code, nothing read-only and nothing small', () => {
    for (const [mib, perms, path] of [
      [96, 'rw-p', '[heap]'],
      [96, 'rw-p', '[stack]'],
      [1024, 'rwxp', ''],
      [96, 'r--s', '/memfd:x (deleted)'],
      [64, '---p', ''],
      [15, 'rw-p', ''],
    ] as const)
      expect(ramIn(mapping(mib, perms, path))).toEqual(NONE);
    expect(ramIn(mapping(64, 'rw-p'), leastBytesOf(undefined))).toEqual(NONE);
    expect(ramIn(mapping(100, 'rw-p'), leastBytesOf(2048 * MIB))).toEqual(NONE);
  });

  it('may be in several mappings', () => {
    const two = mapping(48, 'rw-s', '/memfd:a (deleted)') + mapping(48, 'rw-s', '/memfd:b (deleted)') + mapping(32, 'rw-p');
    expect(ramIn(two)).toEqual({ ...NONE, sharedBytes: RAM, privateBytes: 32 * MIB });
  });

  it.each(['maps', 'smaps'])('is not told from a text of %s that is cut within a line', (file) => {
    for (const cut of truncations(kernelSample(`qemu-7.2-memfd/${file}`)).filter((text) => !text.endsWith('\n'))) {
      expect(file === 'maps' ? ramIn(cut) : residentParts(cut, LEAST)).toBeNull();
    }
    expect(ramIn(kernelSample('qemu-7.2-memfd/maps'))).toEqual(ANY);
  });
});

describe('resident parts', () => {
  it.each(['qemu-7.2-memfd', 'qemu-7.2-anonymous'])('of %s: guest RAM and the rest, which make all', (recording) => {
    const smaps = kernelSample(`${recording}/smaps`);
    const all = [...smaps.matchAll(/^Rss: +(\d+) kB$/gm)].reduce((sum, [, kib]) => sum + Number(kib) * 1024, 0);
    expect(residentParts(smaps, LEAST)).toEqual({ guestBytes: RAM, otherBytes: all - RAM });
  });
});
