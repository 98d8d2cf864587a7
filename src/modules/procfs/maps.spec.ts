import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, inUsedBuffer, kernelSample, truncations } from '../../../test/kernel-samples.js';
import { parseMaps, parseSmaps } from './maps.js';

type Row = readonly [bytes: number, kind: string, path: string, residentBytes?: number];
const MIB = 1024 * 1024;
const RECORDINGS = ['qemu-7.2-memfd', 'qemu-7.2-anonymous'] as const;

/** Mappings as the parser gives them, or null for a text it refuses. */
function rowsOfMaps(text: string): Row[] | null {
  const [bytes, length] = inUsedBuffer(text);
  const rows: Row[] = [];
  const whole = parseMaps(bytes, length, (mapping) =>
    rows.push([
      mapping.bytes,
      `${mapping.data ? 'data' : 'other'} ${mapping.shared ? 'shared' : 'private'}`,
      bytes.toString('latin1', mapping.pathStart, mapping.pathEnd),
    ]),
  );
  return whole ? rows : null;
}

function rowsOfSmaps(text: string): Row[] | null {
  const bytes = Buffer.from(text, 'latin1');
  const rows: Row[] = [];
  const whole = parseSmaps(bytes, (mapping, resident) =>
    rows.push([
      mapping.bytes,
      `${mapping.data ? 'data' : 'other'} ${mapping.shared ? 'shared' : 'private'}`,
      bytes.toString('latin1', mapping.pathStart, mapping.pathEnd),
      resident,
    ]),
  );
  return whole ? rows : null;
}

describe('parseMaps', () => {
  it('reads every mapping of a recorded QEMU', () => {
    const rows = rowsOfMaps(kernelSample('qemu-7.2-memfd/maps'));
    expect(rows).toHaveLength(20);
    expect(rows).toContainEqual([96 * MIB, 'data shared', '/memfd:memory-backend-memfd (deleted)']);
    expect(rows).toContainEqual([8 * MIB, 'data private', '']);
    expect(rows?.at(0)).toEqual([4222976, 'other private', '/usr/bin/qemu-system-x86_64']);
    expect(rows?.at(-1)).toEqual([4096, 'other private', '[vsyscall]']);
    expect(rowsOfMaps(kernelSample('qemu-7.2-anonymous/maps'))).toContainEqual([96 * MIB, 'data private', '']);
  });

  it('tells what may be executed or not written from data', () => {
    for (const [perms, kind] of [
      ['rwxp', 'other private'],
      ['r--s', 'other shared'],
      ['---p', 'other private'],
      ['rw-s', 'data shared'],
    ])
      expect(rowsOfMaps(`1000-3000 ${perms} 00000000 00:00 0 \n`)).toEqual([[8192, kind, '']]);
  });

  it.each(RECORDINGS)('gives whole lines of %s or nothing, wherever it is cut', (recording) => {
    const text = kernelSample(`${recording}/maps`);
    const all = rowsOfMaps(text) ?? expect.fail('refused');
    for (const cut of truncations(text)) {
      const rows = rowsOfMaps(cut);
      if (cut === '' || !cut.endsWith('\n')) expect(rows).toBeNull();
      else expect(rows).toEqual(all.slice(0, cut.split('\n').length - 1));
    }
  });

  it('refuses what is no mapping', () => {
    for (const line of [
      '',
      'x',
      '1000-3000',
      '1000-3000 rw-p',
      '1000 rw-p 0 0 0',
      '-3000 rw-p 0 0 0',
      '3000-1000 rw-p 0 0 0',
      '1000-1000 rw-p 0 0 0',
      '1000-3000 rw-p 0 0',
      '1000-3000 rw-pp 0 0 0',
      'G000-3000 rw-p 0 0 0',
    ])
      expect(rowsOfMaps(`${line}\n`), line).toBeNull();
    fc.assert(fc.property(anyText, (text) => rowsOfMaps(text) === null));
  });
});

describe('parseSmaps', () => {
  it.each(RECORDINGS)('reads the mappings of %s as maps has them, each with its resident bytes', (recording) => {
    const rows = rowsOfSmaps(kernelSample(`${recording}/smaps`)) ?? expect.fail('refused');
    expect(rows.map((row) => row.slice(0, 3))).toEqual(rowsOfMaps(kernelSample(`${recording}/maps`)));
    const resident = [...kernelSample(`${recording}/smaps`).matchAll(/^Rss: +(\d+) kB$/gm)].map(([, kib]) => Number(kib) * 1024);
    expect(rows.map((row) => row[3])).toEqual(resident);
    expect(rows).toContainEqual([96 * MIB, expect.any(String), expect.any(String), 96 * MIB]);
  });

  it.each(RECORDINGS)('gives whole mappings of %s or nothing, wherever it is cut', (recording) => {
    const text = kernelSample(`${recording}/smaps`);
    const all = rowsOfSmaps(text) ?? expect.fail('refused');
    const ends = new Set([...text.matchAll(/^VmFlags:.*\n/gm)].map((match) => match.index + match[0].length));
    for (const cut of truncations(text)) {
      const rows = rowsOfSmaps(cut);
      if (ends.has(cut.length)) expect(all.slice(0, rows?.length)).toEqual(rows);
      else expect(rows).toBeNull();
    }
  });

  it('refuses a mapping without its resident size, and what is no smaps', () => {
    const text = kernelSample('qemu-7.2-memfd/smaps');
    for (const broken of [text.replace(/^Rss:.*\n/m, ''), text.replace(/^Rss: +\d+/m, 'Rss: x'), text.replace(/^Rss: .*/m, 'Rss: 1 MB')])
      expect(rowsOfSmaps(broken)).toBeNull();
    for (const text of ['', '\n', 'VmFlags:\n', 'Rss: 1 kB\nVmFlags:\n', '\nVmFlags:'.repeat(20_000)]) expect(rowsOfSmaps(text)).toBeNull();
    fc.assert(fc.property(anyText, (text) => rowsOfSmaps(text) === null));
  });
});
