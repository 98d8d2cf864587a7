import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { hostLook } from './look.js';

const root = mkdtempSync(join(tmpdir(), 'vmgauge-look-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (name: string): string => join(root, name);

describe('a look', () => {
  it('reads a file to its end whatever size it claims, as those of the kernel claim none', async () => {
    writeFileSync(at('long'), 'x'.repeat(200_000));
    expect(await hostLook.text(at('long'))).toHaveLength(200_000);
    expect(await hostLook.text('/proc/self/status')).toMatch(/^Name:/);
  });

  it('never reads more than it was told', async () => {
    writeFileSync(at('long'), 'x'.repeat(200_000));
    await expect(hostLook.text(at('long'), 199_999)).rejects.toMatchObject({ code: 'EFBIG' });
    expect(await hostLook.text(at('long'), 200_000)).toHaveLength(200_000);
  });

  it('does not wait for the writer of a FIFO', async () => {
    execFileSync('mkfifo', [at('fifo')]);
    expect(await hostLook.text(at('fifo'))).toBe('');
  });

  it('throws what the system says', async () => {
    await expect(hostLook.text(at('nothing'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(hostLook.text(root)).rejects.toMatchObject({ code: 'EISDIR' });
    await expect(hostLook.names(at('nothing'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(hostLook.watch(at('nothing'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('lists names of every kind, sorted, and no more than it was told', async () => {
    mkdirSync(at('many/c'), { recursive: true });
    writeFileSync(at('many/a'), '');
    symlinkSync('/nonexistent', at('many/b'));
    expect(await hostLook.names(at('many'))).toEqual(['a', 'b', 'c']);
    expect(await hostLook.names(at('many'), 2)).toHaveLength(2);
  });

  it('follows a link once, tells what is there, and gives a watch back', async () => {
    symlinkSync('/some/where', at('link'));
    expect(await hostLook.link(at('link'))).toBe('/some/where');
    expect([await hostLook.isThere(root), await hostLook.isThere(at('nothing'))]).toEqual([true, false]);
    await hostLook.watch(root);
  });
});
