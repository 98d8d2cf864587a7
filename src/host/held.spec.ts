import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { descriptorsHeld, type HeldDirectory } from './held.js';
import { Host } from './host.js';

const host = new Host();
let room: string;
let directory: HeldDirectory;
let before: number;
beforeEach(() => {
  room = mkdtempSync(join(tmpdir(), 'vmgauge-held-'));
  mkdirSync(join(room, 'here/sub'), { recursive: true });
  writeFileSync(join(room, 'here/file'), 'first');
  before = descriptorsHeld();
  directory = host.holdDirectory(join(room, 'here'));
});
afterEach(() => {
  directory.close();
  expect(descriptorsHeld()).toBe(before);
  rmSync(room, { recursive: true, force: true });
});

describe('HeldDirectory', () => {
  it('stays with the directory it opened, whatever takes over its path', async () => {
    renameSync(join(room, 'here'), join(room, 'there'));
    mkdirSync(join(room, 'here'));
    writeFileSync(join(room, 'here/file'), 'stranger');
    const text = Buffer.alloc(100);
    expect(text.toString('latin1', 0, directory.readOnce('file', text))).toBe('first');
    expect(directory.readText('file')).toBe('first');
    expect(await directory.readTextAsync('file')).toBe('first');
    expect(directory.list().sort()).toEqual(['file', 'sub']);
  });

  it('reads a held file from its start each time', () => {
    const file = directory.open('file');
    const text = Buffer.alloc(100);
    expect(file.read(text)).toBe(5);
    writeFileSync(join(room, 'here/file'), 'second!');
    expect(text.toString('latin1', 0, file.read(text))).toBe('second!');
    expect(file.readAt(text, 10, 3, 2)).toBe(3);
    expect(text.toString('latin1', 10, 13)).toBe('con');
    file.close();
  });

  it('knows two openings of one file for the same', () => {
    const [one, two, other] = [directory.open('file'), directory.open('file'), directory.openDirectory('sub')];
    expect(one.identity()).toBe(two.identity());
    expect(descriptorsHeld()).toBe(before + 4);
    for (const held of [one, two, other]) held.close();
  });

  it('bounds what it reads', async () => {
    writeFileSync(join(room, 'here/long'), 'x'.repeat(100_000));
    expect(() => directory.readText('long', 99_999)).toThrow(expect.objectContaining({ code: 'EFBIG' }));
    expect(() => directory.readRegularText('long', 99_999)).toThrow(expect.objectContaining({ code: 'EFBIG' }));
    await expect(directory.readTextAsync('long', 99_999)).rejects.toMatchObject({ code: 'EFBIG' });
    expect(await directory.readTextAsync('long', 100_000)).toHaveLength(100_000);
  });

  it('reads nothing but a regular file where a stranger may have put anything', () => {
    symlinkSync('file', join(room, 'here/link'));
    execFileSync('mkfifo', [join(room, 'here/fifo')]);
    expect(directory.readRegularText('file', 100)).toBe('first');
    expect(() => directory.readRegularText('link', 100)).toThrow(expect.objectContaining({ code: 'ELOOP' }));
    for (const entry of ['fifo', 'sub'])
      expect(() => directory.readRegularText(entry, 100)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  it('tells character devices by number', () => {
    const devices = host.holdDirectory('/dev');
    expect(devices.characterDevice('null')).toEqual({ major: 1, minor: 3 });
    devices.close();
    expect(directory.characterDevice('file')).toBeNull();
  });
});
