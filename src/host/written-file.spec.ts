import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readWritten, whatIsWritten } from './written-file.js';

const PATIENT_MS = 20_000;
let directory: string;
const open: number[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-written-'));
});
afterEach(() => {
  for (const fd of open.splice(0)) closeSync(fd);
  rmSync(directory, { recursive: true, force: true });
});

/** Opened to be read and written, and the link by which others see that. */
function opened(name: string): { readonly fd: number; readonly link: string } {
  const fd = openSync(join(directory, name), constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK);
  open.push(fd);
  return { fd, link: `/proc/${process.pid}/fd/${fd}` };
}

async function written(link: string, from = 0, bytes = 100): Promise<string> {
  const about = await whatIsWritten(link, PATIENT_MS);
  if (!about) throw new Error('nothing that is written');
  return (await readWritten(link, about, { from, bytes })).toString();
}

it('reads a range of a file, to its end, whatever the file is called by now', async () => {
  const { fd, link } = opened('a');
  writeSync(fd, '0123456789');
  renameSync(join(directory, 'a'), join(directory, 'b'));
  expect([await written(link), await written(link, 4, 3), await written(link, 8, 5), await written(link, 20)]).toEqual([
    ...['0123456789', '456', '89', ''],
  ]);
});

it('takes what is in a FIFO, and nothing where nothing is', async () => {
  execFileSync('mkfifo', [join(directory, 'fifo')]);
  const { fd, link } = opened('fifo');
  expect(await whatIsWritten(link, PATIENT_MS)).toMatchObject({ kind: 'fifo' });
  expect(await written(link)).toBe('');
  writeSync(fd, 'x'.repeat(150));
  expect([(await written(link)).length, (await written(link)).length, await written(link)]).toEqual([100, 50, '']);
});

it('reads more than one piece', async () => {
  const { link } = opened('long');
  writeFileSync(join(directory, 'long'), Buffer.alloc(200_000, 'ab'));
  expect(await written(link, 1, 199_999)).toBe('ba'.repeat(100_000).slice(0, 199_999));
});

it('does not read what a link is of by now, and opens no device', async () => {
  const { link } = opened('a');
  const about = await whatIsWritten(link, PATIENT_MS);
  const other = opened('b').link;
  if (!about) throw new Error('nothing that is written');
  await expect(readWritten(other, about, { from: 0, bytes: 9 })).rejects.toMatchObject({ code: 'ESTALE' });
  expect(await whatIsWritten('/dev/null', PATIENT_MS)).toBeNull();
  expect(await whatIsWritten(directory, PATIENT_MS)).toBeNull();
  await expect(readWritten('/dev/null', about, { from: 0, bytes: 9 })).rejects.toMatchObject({ code: 'ESTALE' });
  symlinkSync('a', join(directory, 'link'));
  expect(await whatIsWritten(join(directory, 'link'), PATIENT_MS)).toEqual(about);
  await expect(whatIsWritten(join(directory, 'none'), PATIENT_MS)).rejects.toMatchObject({ code: 'ENOENT' });
});

it('leaves no descriptor open', async () => {
  const { fd, link } = opened('a');
  writeSync(fd, 'x');
  const before = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 20; i++) await written(link);
  expect(readdirSync('/proc/self/fd').length).toBe(before);
});
