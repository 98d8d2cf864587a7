import { execFileSync } from 'node:child_process';
import { appendFileSync, chownSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTail, type TailPosition } from './file-tail.js';

const OWN = process.getuid?.() ?? 0;

let directory: string;
let position: TailPosition | null;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-tail-'));
  position = null;
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const path = (): string => join(directory, 'file');
async function read(limitBytes = 1 << 20, owners: readonly number[] | null = [OWN], follow = false): Promise<string> {
  const pieces: string[] = [];
  const { position: next } = await readTail({ path: path(), follow, owners }, position, limitBytes, (piece) =>
    pieces.push(piece.toString()),
  );
  position = next;
  return pieces.join('');
}

describe('the end of a file', () => {
  it('is what was added', async () => {
    writeFileSync(path(), 'abc');
    expect([await read(), await read()]).toEqual(['abc', '']);
    appendFileSync(path(), 'de');
    expect(await read()).toBe('de');
  });

  it('is read in bounded pieces, and says what is left', async () => {
    writeFileSync(path(), 'x'.repeat(200_000));
    const first = await readTail({ path: path(), follow: false, owners: null }, null, 150_000, () => undefined);
    expect([first.position.offset, first.left]).toEqual([150_000, 50_000]);
    const second = await readTail({ path: path(), follow: false, owners: null }, first.position, 150_000, () => undefined);
    expect([second.position.offset, second.left]).toEqual([200_000, 0]);
  });

  it('begins anew in another file, and goes on in one that was cut', async () => {
    writeFileSync(path(), 'first');
    expect(await read()).toBe('first');
    renameSync(path(), join(directory, 'old'));
    writeFileSync(path(), 'second one');
    expect(await read()).toBe('second one');
    truncateSync(path(), 3);
    expect(await read()).toBe('');
    appendFileSync(path(), 'more');
    expect(await read()).toBe('more');
  });

  it('is not of a FIFO, a link, a directory or another’s file', async () => {
    execFileSync('mkfifo', [path()]);
    await expect(read()).rejects.toMatchObject({ code: 'EINVAL' });
    rmSync(path());
    writeFileSync(join(directory, 'target'), 'x');
    symlinkSync('target', path());
    await expect(read()).rejects.toMatchObject({ code: 'EINVAL' });
    expect(await read(10, [OWN], true)).toBe('x');
    rmSync(path());
    await expect(read()).rejects.toMatchObject({ code: 'ENOENT' });
    writeFileSync(path(), 'x');
    await expect(read(10, [OWN + 1])).rejects.toMatchObject({ code: 'EPERM' });
  });

  it('is of one of the owners that are named', async () => {
    writeFileSync(path(), 'x');
    await expect(read(10, [OWN + 1, OWN + 2])).rejects.toMatchObject({ code: 'EPERM' });
    // Only root can give a file away.
    if (OWN !== 0) return expect(await read(10, [OWN + 1, OWN])).toBe('x');
    chownSync(path(), 65_534, 65_534);
    await expect(read(10, [0])).rejects.toMatchObject({ code: 'EPERM' });
    expect(await read(10, [0, 65_534])).toBe('x');
  });

  it('leaves no descriptor, whatever happens', async () => {
    const before = readdirSync('/proc/self/fd').length;
    writeFileSync(path(), 'abc');
    await read();
    const fails = readTail({ path: path(), follow: false, owners: null }, null, 10, () => {
      throw new Error('the test');
    });
    await expect(fails).rejects.toThrow('the test');
    await expect(read(10, [OWN + 1])).rejects.toThrow();
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
  });
});
