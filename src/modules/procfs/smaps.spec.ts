import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, kernelSample, truncations } from '../../../test/kernel-samples.js';
import { type MappedMemory, mappingsOf } from './smaps.js';

const RECORDINGS = ['qemu-7.2-memfd', 'qemu-7.2-anonymous'] as const;
const MIB = 1024 * 1024;

const all = (text: string): (MappedMemory | null)[] => [...mappingsOf(text)];
/** All mappings of a text that is whole. */
function whole(text: string): MappedMemory[] {
  const mappings = all(text);
  expect(mappings).not.toContain(null);
  return mappings.flatMap((mapping) => mapping ?? []);
}
const sum = (text: string, name: RegExp): number => [...text.matchAll(name)].reduce((total, [, kib]) => total + Number(kib) * 1024, 0);

describe('mappingsOf', () => {
  it.each(RECORDINGS)('reads every mapping of %s, and every byte of it once', (recording) => {
    const text = kernelSample(`${recording}/smaps`);
    const mappings = whole(text);
    expect(mappings.map(({ start, end, permissions, path }) => [start, end, permissions, path])).toEqual(
      [...text.matchAll(/^([0-9a-f]+)-([0-9a-f]+) (....) \S+ \S+ \d+ *(.*)$/gm)].map(([, start, end, permissions, path]) => [
        Number.parseInt(start, 16),
        Number.parseInt(end, 16),
        permissions,
        path,
      ]),
    );
    const total = (bytes: (mapping: MappedMemory) => number): number => mappings.reduce((before, mapping) => before + bytes(mapping), 0);
    expect(total(({ residentBytes }) => residentBytes)).toBe(sum(text, /^Rss: +(\d+) kB$/gm));
    expect(total(({ swappedBytes }) => swappedBytes)).toBe(sum(text, /^Swap: +(\d+) kB$/gm));
    expect(total(({ hugetlbBytes }) => hugetlbBytes)).toBe(sum(text, /^(?:Shared|Private)_Hugetlb: +(\d+) kB$/gm));
    expect(total(({ transparentHugeBytes }) => transparentHugeBytes)).toBe(sum(text, /^(?:AnonHugePages|ShmemPmdMapped): +(\d+) kB$/gm));
  });

  it('reads what the kernel knows of guest RAM', () => {
    expect(whole(kernelSample('qemu-7.2-memfd/smaps')).filter(({ residentBytes }) => residentBytes === 96 * MIB)).toEqual([
      expect.objectContaining({
        permissions: 'rw-s',
        path: '/memfd:memory-backend-memfd (deleted)',
        flags: expect.arrayContaining(['sh', 'dc']),
      }),
    ]);
  });

  it.each(RECORDINGS)('gives whole mappings of %s wherever it is cut, and says that it is', (recording) => {
    const text = kernelSample(`${recording}/smaps`);
    const complete = whole(text);
    const ends = new Set([0, ...[...text.matchAll(/^VmFlags:.*\n/gm)].map((match) => match.index + match[0].length)]);
    for (const cut of truncations(text)) {
      const mappings = all(cut);
      if (!ends.has(cut.length)) expect(mappings.pop()).toBeNull();
      expect(mappings).toEqual(complete.slice(0, mappings.length));
    }
  });

  it('refuses a mapping without one of the numbers it needs', () => {
    const text = kernelSample('qemu-7.2-memfd/smaps');
    for (const name of ['Rss', 'Swap', 'Private_Hugetlb', 'Shared_Hugetlb', 'AnonHugePages', 'ShmemPmdMapped', 'VmFlags']) {
      const line = new RegExp(`^${name}:.*\n`, 'm');
      expect(all(text.replace(line, ''))).toEqual([null]);
      expect(all(text.replace(line, `${name}: x\n`))).toEqual([null]);
    }
    expect(all(text.replace(/^Rss: +\d+/m, 'Rss: 18446744073709551615'))).toEqual([null]);
    expect(all(text.replace(/^(\w+)-(\w+)/, '$2-$1'))).toEqual([null]);
  });

  it('refuses what is none', () => {
    for (const text of ['\n', 'x', 'VmFlags: \n', '\nVmFlags:'.repeat(20_000), 'a'.repeat(100_000)]) expect(all(text)).toEqual([null]);
    expect(all('')).toEqual([]);
    fc.assert(fc.property(anyText, (text) => text === '' || all(text).at(-1) === null));
  });
});
