import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BOOT_SECONDS, FakeProc } from '../../test/fake-proc.js';
import { Host } from './host.js';

let proc: FakeProc;
beforeEach(() => {
  proc = new FakeProc();
});
afterEach(() => proc.close());

describe('Host', () => {
  it('knows boot, page size and what the kernel can do, of a real machine', () => {
    const host = new Host();
    expect(host.bootMs).toBe(Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]) * 1000);
    expect(host.pageBytes).toBe(Number(execFileSync('getconf', ['PAGE_SIZE'], { encoding: 'utf8' })));
    expect(host.bootId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('takes everything from the roots it is given', () => {
    const host = proc.host();
    expect(host.bootMs).toBe(BOOT_SECONDS * 1000);
    expect(host.bootId).toBe('0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11');
    expect(host.proc('7', 'stat')).toBe(`${proc.root}/7/stat`);
    expect(host.clock).toBe(proc.clock);
    // A directory of a recorded tree has a size too, but it is no number of descriptors.
    expect(host.descriptorCountBySize).toBe(false);
  });

  it('knows nothing of an empty tree, and says so', () => {
    const host = new Host({ proc: `${proc.root}/empty` });
    expect([host.bootMs, host.bootId, host.descriptorCountBySize]).toEqual([null, null, false]);
    expect(host.tryReadText(host.proc('stat'))).toBeUndefined();
    expect(host.tryLink(host.proc('1/exe'))).toBeUndefined();
    expect(host.exists(host.proc('stat'))).toBe(false);
    expect(() => host.list(host.proc())).toThrow('ENOENT');
  });

  it('reads no stranger’s symlink, FIFO or over-long file', async () => {
    const host = proc.host();
    proc.write('file', 'text');
    proc.link('link', 'file');
    execFileSync('mkfifo', [`${proc.root}/fifo`]);
    expect(await host.readStrangersFile(host.proc('file'), 4)).toBe('text');
    await expect(host.readStrangersFile(host.proc('file'), 3)).rejects.toMatchObject({ code: 'EFBIG' });
    await expect(host.readStrangersFile(host.proc('link'), 100)).rejects.toMatchObject({ code: 'ELOOP' });
    await expect(host.readStrangersFile(host.proc('fifo'), 100)).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(host.readStrangersFile('/dev/zero', 100)).rejects.toMatchObject({ code: 'EINVAL' });
  });
});
