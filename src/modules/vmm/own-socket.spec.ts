import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeProcess } from '../../../test/fake-process.js';
import { answer, RawSocket, silence } from '../../../test/raw-socket.js';
import { Spawned } from '../../../test/spawned.js';
import { Host } from '../../host/host.js';
import { holdPlace } from '../../host/in-root.js';
import { askSocket } from '../../host/unix-http.js';
import { Outcome } from '../../model/outcome.js';
import { holdProcess, type ProcfsProcess } from '../procfs/held-process.js';
import { OwnSocket, ownersOf } from './own-socket.js';

const PATIENCE = { timeout: 20_000 };
const LIMITS = { deadlineMs: 20_000, bodyBytes: 1000 };
const host = new Host();
const NOBODY = 65_534;
const asRoot = it.runIf(process.getuid?.() === 0 || process.env.VMGAUGE_NO_SKIP === '1');
const spawned = new Spawned();

let directory: string;
let held: ProcfsProcess;
const sockets: RawSocket[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-own-socket-'));
  held = holdProcess(host, process.pid);
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) await socket.close();
  held.close();
  await spawned.close();
  rmSync(directory, { recursive: true, force: true });
});

async function listen(path: string): Promise<RawSocket> {
  const socket = await RawSocket.listen(path, answer('hello'));
  sockets.push(socket);
  return socket;
}
/** A directory that everybody may use, and in it one in which somebody else listens, as root. */
async function rootsSocket(): Promise<RawSocket> {
  chmodSync(directory, 0o777);
  mkdirSync(join(directory, 'roots'));
  return listen(join(directory, 'roots/s'));
}
const ask = (socket: OwnSocket): Promise<string> =>
  socket.use(20_000, async (door) => (await askSocket(door, '/', LIMITS)).body.toString());

describe('a socket of a process’s own', () => {
  it('is one that it listens on, and is found without touching it', async () => {
    const raw = await listen(join(directory, 's'));
    const socket = new OwnSocket(held, raw.path, host);
    // The table of a host has thousands of rows: it is read once.
    const reads = vi.spyOn(held.held, 'readTextAsync');
    expect([await socket.look(), await socket.look()]).toEqual([Outcome.ok, Outcome.ok]);
    expect([raw.accepted, reads.mock.calls.length]).toEqual([0, 1]);
    expect(await ask(socket)).toBe('hello');
  });

  it('is none when nobody listens there, or not any more', async () => {
    const socket = new OwnSocket(held, join(directory, 's'), host);
    expect(await socket.look()).toBe(Outcome.gone);
    const raw = await listen(socket.path);
    expect(await socket.look()).toBe(Outcome.ok);
    await raw.close();
    expect(await socket.look()).toBe(Outcome.gone);
    await listen(socket.path);
    expect(await socket.look()).toBe(Outcome.ok);
  });

  it('is not one that another process listens on', async () => {
    const raw = await listen(join(directory, 's'));
    const other = holdProcess(host, (await spawned.start()).pid);
    expect(await new OwnSocket(other, raw.path, host).look()).toBe(Outcome.notPermitted);
    other.close();
  });

  it('is looked for where the process itself looks: in its cwd and in its root', async () => {
    const jail = join(directory, 'jail');
    mkdirSync(join(jail, 'run/vm'), { recursive: true });
    const script = `process.chdir(${JSON.stringify(join(jail, 'run'))}); require('node:net').createServer((c) => c.end('x')).listen('vm/s')`;
    const { pid } = await spawned.start([process.execPath, '-e', script]);
    const other = holdProcess(host, pid);
    const socket = new OwnSocket(other, 'vm/s', host);
    await expect.poll(() => socket.look(), PATIENCE).toBe(Outcome.ok);
    // The same words from our own cwd would be something else.
    expect(await socket.use(20_000, async ({ name, directory: at }) => readdirSync(at).includes(name))).toBe(true);
    other.close();
  });

  asRoot.each([
    ['a link of its user’s', "fs.renameSync('own', 'old'); fs.symlinkSync('roots', 'own')", 'own/s'],
    ['its cwd', "process.chdir('roots')", 's'],
  ])('is never a socket of root’s to which %s leads', async (_, lead, last) => {
    const victim = await rootsSocket();
    const path = last === 's' ? 's' : join(directory, last);
    const script = `process.setgid(${NOBODY}); process.setuid(${NOBODY}); const fs = require('node:fs'); fs.mkdirSync('own');
      process.chdir(${JSON.stringify(last === 's' ? 'own' : '.')});
      require('node:net').createServer().listen(${JSON.stringify(path)}, () => { process.chdir(${JSON.stringify(directory)}); ${lead}; });`;
    const { pid } = await spawned.start([process.execPath, '-e', `process.chdir(${JSON.stringify(directory)}); ${script}`]);
    const other = holdProcess(host, pid);
    const socket = new OwnSocket(other, path, host);
    await expect.poll(() => socket.look(), PATIENCE).toBe(Outcome.ok);
    const led = join(last === 's' ? `/proc/${pid}/cwd` : join(directory, 'own'), '.');
    await expect.poll(() => existsSync(led) && realpathSync(led), PATIENCE).toBe(realpathSync(join(directory, 'roots')));
    await expect(ask(socket)).rejects.toMatchObject({ code: 'EPERM' });
    expect(victim.accepted).toBe(0);
    other.close();
  });

  asRoot('is its user’s behind a link of that user, and root’s behind one of root', async () => {
    await rootsSocket();
    mkdirSync(join(directory, 'users'));
    const users = await listen(join(directory, 'users/s'));
    chownSync(users.path, NOBODY, NOBODY);
    for (const [name, target, uid] of [
      ['byUser', 'users', NOBODY],
      ['byRoot', 'roots', 0],
    ] as const) {
      symlinkSync(target, join(directory, name));
      lchownSync(join(directory, name), uid, uid);
    }
    const place = async (name: string) => holdPlace({ root: '/', cwd: '/' }, join(directory, name, 's'), 20_000);
    const ofUser = await place('byUser');
    const ofRoot = await place('byRoot');
    const owner = await spawned.start([process.execPath, '-e', `process.setuid(${NOBODY}); setInterval(() => 0, 1e6)`]);
    const other = holdProcess(host, owner.pid);
    await expect.poll(() => ownersOf(other, '/s', new Set()), PATIENCE).toEqual([0, NOBODY]);
    expect(ownersOf(other, '/s', ofUser.linkOwners)).toEqual([NOBODY]);
    expect(ownersOf(other, '/s', ofRoot.linkOwners)).toEqual([0, NOBODY]);
    expect(ownersOf(other, 's', new Set())).toEqual([NOBODY]);
    expect(ownersOf(other, '/s', new Set([NOBODY, 1]))).toEqual([]);
    await Promise.all([ofUser.close(), ofRoot.close()]);
    other.close();
  });

  it('says who is at its door', async () => {
    const raw = await listen(join(directory, 's'));
    raw.reply = silence;
    const clients = [connect(raw.path), connect(raw.path)];
    await expect.poll(() => raw.connections, PATIENCE).toBe(2);
    expect(await new OwnSocket(held, raw.path, host).door()).toMatchObject({ served: 2, waiting: 0, listeners: [expect.any(String)] });
    for (const client of clients) client.destroy();
  });

  it('is unsupported without a file, and for a process that is not held by its directory', async () => {
    expect(await new OwnSocket(held, '@vm', host).look()).toBe(Outcome.unsupported);
    expect(await new OwnSocket(new FakeProcess(), '/s', host).look()).toBe(Outcome.unsupported);
    await expect(new OwnSocket(new FakeProcess(), '/s', host).use(1000, async () => 1)).rejects.toMatchObject({ code: 'ESRCH' });
  });

  it('of a process that is gone is gone', async () => {
    const child = await spawned.start();
    const other = holdProcess(host, child.pid);
    await spawned.end(child);
    await expect(new OwnSocket(other, '/s', host).look()).rejects.toMatchObject({ code: expect.stringMatching(/ESRCH|ENOENT/) });
    other.close();
  });
});
