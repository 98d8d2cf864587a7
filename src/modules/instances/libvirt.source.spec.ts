import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withoutRights } from '../../../test/without-rights.js';
import { Host } from '../../host/host.js';
import { LibvirtSource } from './libvirt.source.js';

const FIRST = '0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11';
const SECOND = '1b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a22';
let run: string;
let source: LibvirtSource;

beforeEach(() => {
  run = mkdtempSync(join(tmpdir(), 'vmgauge-libvirt-'));
  source = new LibvirtSource(new Host({ run }));
});
afterEach(() => rmSync(run, { recursive: true, force: true }));

const path = (name: string): string => join(run, 'libvirt', 'qemu', name);
const domain = (uuid: string, name = 'web'): string => `<domstatus state='running' reason='booted' pid='4242'>
  <domain type='kvm' id='1'><name>${name}</name><uuid>${uuid}</uuid><memory unit='KiB'>1048576</memory><vcpu>1</vcpu><devices>
    <graphics type='vnc' passwd='vnc-secret'/></devices></domain>
</domstatus>
`;
function write(name: string, text: string): void {
  mkdirSync(path(''), { recursive: true });
  writeFileSync(path(name), text);
}
const ids = async (): Promise<string[]> => (await source.list()).map(({ id }) => id);

describe('LibvirtSource', () => {
  it('lists live domains by uuid and nothing else in the directory', async () => {
    write('web.xml', domain(SECOND));
    write('db.xml', domain(FIRST, 'db'));
    write('web.pid', '4242');
    mkdirSync(path('autostart.xml'));
    expect(await source.list()).toMatchObject([
      { id: FIRST, name: 'db', process: { pid: 4242, mustBeVmm: true } },
      { id: SECOND, name: 'web' },
    ]);
    expect(source.problems.size).toBe(0);
    rmSync(path('web.xml'));
    expect(await ids()).toEqual([FIRST]);
  });

  it('holds no domains where there is no libvirt', async () => {
    expect(await source.list()).toEqual([]);
  });

  it('throws where it may not look, so that the registry can say why', async () => {
    mkdirSync(join(run, 'libvirt'), { recursive: true });
    // root may look everywhere, so a loop of links has to stand for the missing permission.
    symlinkSync('qemu', path(''));
    await expect(source.list()).rejects.toMatchObject({ code: 'ELOOP' });
  });

  it('throws EACCES without permission', async () => {
    mkdirSync(path(''), { recursive: true });
    chmodSync(run, 0o755);
    chmodSync(path(''), 0);
    try {
      await withoutRights(() => expect(source.list()).rejects.toMatchObject({ code: 'EACCES' }));
    } finally {
      // Without permission the directory could not be removed either.
      chmodSync(path(''), 0o700);
    }
  });

  it('keeps the last good record of a torn file', async () => {
    write('web.xml', domain(FIRST));
    expect(await ids()).toEqual([FIRST]);
    writeFileSync(path('web.xml'), domain(FIRST).slice(0, 120));
    expect(await ids()).toEqual([FIRST]);
    expect([...source.problems]).toEqual([['web.xml', 'not XML, or only a part of it']]);
  });

  it('passes over strange files and tells', async () => {
    write('good.xml', domain(FIRST));
    write('huge.xml', '<a>');
    truncateSync(path('huge.xml'), 5 << 20);
    write('twin.xml', domain(FIRST, 'twin'));
    symlinkSync(path('good.xml'), path('linked.xml'));
    execFileSync('mkfifo', [path('fifo.xml')]);
    expect(await ids()).toEqual([FIRST]);
    expect([...source.problems]).toEqual([
      ['huge.xml', 'the file is too long'],
      ['twin.xml', 'another file has the same uuid'],
    ]);
  });

  it('never holds a password', async () => {
    write('a.xml', domain(FIRST));
    write('b.xml', domain(SECOND).replace('</domain>', ''));
    expect(JSON.stringify([await source.list(), [...source.problems]])).not.toContain('vnc-secret');
  });
});
