import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holdPlace } from './in-root.js';

let directory: string;
/** What the process takes for `/`. */
let root: string;
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'vmgauge-in-root-')));
  root = join(directory, 'root');
  mkdirSync(join(root, 'run/vm'), { recursive: true });
  writeFileSync(join(root, 'run/vm/file'), 'inside');
  mkdirSync(join(directory, 'run/vm'), { recursive: true });
  writeFileSync(join(directory, 'run/vm/file'), 'outside');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const view = () => ({ root, cwd: join(root, 'run') });
const descriptors = (): number => readdirSync('/proc/self/fd').length;
async function read(path: string): Promise<string> {
  const place = await holdPlace(view(), path, 20_000);
  try {
    return readFileSync(`${place.directory}/${place.name}`, 'utf8');
  } finally {
    await place.close();
  }
}
const link = (target: string, path: string): void => symlinkSync(target, join(root, path));

describe('a path as another process sees it', () => {
  it('begins in its root, or in its cwd', async () => {
    expect(await read('/run/vm/file')).toBe('inside');
    expect(await read('vm/file')).toBe('inside');
    expect(await read('./vm/../vm//file')).toBe('inside');
  });

  it('never leads out of its root, by dots or by links', async () => {
    link('/run', 'absolute');
    link('../../../../run', 'relative');
    link('../../run/vm', 'run/up');
    link(directory, 'out');
    expect(await read('/../../run/vm/file')).toBe('inside');
    expect(await read('../../../run/vm/file')).toBe('inside');
    expect(await read('/absolute/vm/file')).toBe('inside');
    expect(await read('/relative/vm/file')).toBe('inside');
    expect(await read('up/file')).toBe('inside');
    await expect(read('/out/run/vm/file')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('never leads out by the links of /proc, which are no paths', async () => {
    link('/proc/self/root', 'magic');
    mkdirSync(join(root, 'proc/self'), { recursive: true });
    link('/', 'proc/self/root');
    expect(await read('/magic/run/vm/file')).toBe('inside');
  });

  it.each([
    ['/run/none/file', 'ENOENT'],
    ['/run/vm/file/x', 'ENOTDIR'],
    ['/loop/x', 'ELOOP'],
    ['/run/vm/', 'EINVAL'],
    ['/run/..', 'EINVAL'],
    ['', 'EINVAL'],
    ['/run/a\0b', 'EINVAL'],
    [`/${'x'.repeat(5000)}`, 'ENAMETOOLONG'],
  ])('that is %j is %s', async (path, code) => {
    link('/loop', 'loop');
    await expect(read(path)).rejects.toMatchObject({ code });
  });

  it('leaves its last part alone', async () => {
    execFileSync('mkfifo', [join(root, 'run/fifo')]);
    link('/run/vm/file', 'run/last');
    for (const name of ['fifo', 'last', 'nothing']) {
      const place = await holdPlace(view(), `/run/${name}`, 20_000);
      expect(place.name).toBe(name);
      await place.close();
    }
  });

  it('is held while it is renamed, and leaves no descriptor', async () => {
    const before = descriptors();
    const place = await holdPlace(view(), '/run/vm/file', 20_000);
    expect(descriptors()).toBe(before + 1);
    execFileSync('mv', [join(root, 'run/vm'), join(root, 'elsewhere')]);
    expect(readFileSync(`${place.directory}/${place.name}`, 'utf8')).toBe('inside');
    await place.close();
    for (const path of ['/run/none/x', '/none/x', 'a/b/c', '/elsewhere/file/y'])
      await holdPlace(view(), path, 20_000).catch(() => undefined);
    const top = await holdPlace(view(), '/x', 20_000);
    await top.close();
    expect(descriptors()).toBe(before);
  });
});
