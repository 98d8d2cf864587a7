import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answer, FakeOvsdb, type OvsdbScript, say, update } from '../../../../test/fake-ovsdb.js';
import { PATIENT_MS, until } from '../../../../test/holding.js';
import { Outcome, outcomeOfErrno } from '../../../model/outcome.js';
import { OvsdbClient, type OvsdbLimits } from './ovsdb-client.js';
import type { Fields } from './ovsdb-rows.js';

const LIMITS: OvsdbLimits = { deadlineMs: PATIENT_MS, messageBytes: 1000, budgetBytes: 2000 };
const SOON: OvsdbLimits = { ...LIMITS, deadlineMs: 30 };
const ID = '00000000-0000-0000-0000-000000000001';
const STATE = { Open_vSwitch: { [ID]: { initial: { ovs_version: '3.1.0' } } } };
const UNKNOWN = { error: 'unknown method', details: 'monitor_cond' };
const version = (told: string, method?: string): object => update({ Open_vSwitch: { [ID]: { modify: { ovs_version: told } } } }, method);

let directory: string;
let path: string;
let server: FakeOvsdb;
const clients: OvsdbClient[] = [];
let changes = 0;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-ovsdb-'));
  path = join(directory, 'db.sock');
  clients.length = 0;
  changes = 0;
  server = await FakeOvsdb.listen(path, STATE);
});
afterEach(async () => {
  for (const client of clients) client.close();
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

async function connect(limits = LIMITS): Promise<OvsdbClient> {
  const client = await OvsdbClient.connect(path, limits, () => changes++);
  clients.push(client);
  return client;
}
const failing = (code: string): object => expect.objectContaining({ code });

describe('a connection to ovsdb-server', () => {
  it('stands when the first state is there, and follows', async () => {
    const client = await connect();
    expect([client.database().version, client.isOpen, client.dropped, changes]).toEqual(['3.1.0', true, 0, 0]);
    say(server.peers[0], version('3.1.1'));
    await until(() => changes === 1);
    expect(client.database().version).toBe('3.1.1');
  });

  it('takes changes that come right behind the first state', async () => {
    server.script = (message, peer) =>
      void peer.write(JSON.stringify({ id: message.id, result: STATE }) + JSON.stringify(version('3.1.2')));
    expect((await connect()).database().version).toBe('3.1.2');
  });

  it('tells once of what comes at once', async () => {
    const client = await connect();
    server.peers[0].write([version('a'), version('b'), version('c')].map((one) => JSON.stringify(one)).join(''));
    await until(() => client.database().version === 'c');
    expect(changes).toBe(1);
  });

  it('falls back to RFC 7047 where the server does not know better', async () => {
    server.script = (message, peer) => {
      if (message.method === 'monitor_cond') say(peer, { id: message.id, result: null, error: UNKNOWN });
      if (message.method === 'monitor') answer(peer, message, { Open_vSwitch: { [ID]: { new: { ovs_version: '2.5.0' } } } });
    };
    const client = await connect();
    expect(client.database().version).toBe('2.5.0');
    say(server.peers[0], {
      id: null,
      method: 'update',
      params: ['vmgauge', { Open_vSwitch: { [ID]: { old: {}, new: { ovs_version: '2.5.1' } } } }],
    });
    await until(() => client.database().version === '2.5.1');
  });

  it('says nothing that changes anything, and answers what keeps it connected', async () => {
    const client = await connect();
    say(server.peers[0], { id: 'echo', method: 'echo', params: ['a', 1] });
    say(server.peers[0], { id: null, method: 'echo', params: [] });
    say(server.peers[0], { id: 7, method: 'transact', params: ['Open_vSwitch'] });
    await until(() => server.heard.length === 2);
    await client.check(PATIENT_MS);
    expect(server.heard.map(({ method, result }) => method ?? result)).toEqual(['monitor_cond', ['a', 1], 'echo']);
    expect(server.heard[0].params).toEqual(['Open_vSwitch', 'vmgauge', expect.any(Object)]);
    expect(server.heard[1]).toEqual({ id: 'echo', result: ['a', 1], error: null });
  });

  it('is not disturbed by answers and updates that are not for it', async () => {
    const client = await connect();
    for (const message of [
      ...[{ id: 'other', result: 1 }, { id: null, result: {} }, { id: '__proto__', error: 'x' }, { result: [] }, {}],
      ...[
        { method: 'update2', params: ['other', {}] },
        { method: 'update3', params: null },
        { method: 'locked', params: ['x'] },
      ],
    ]) {
      say(server.peers[0], message);
    }
    await client.check(PATIENT_MS);
    expect([client.isOpen, changes, client.database().version]).toEqual([true, 0, '3.1.0']);
  });

  it('counts rows that cannot be understood', async () => {
    const client = await connect();
    say(server.peers[0], { method: 'update2', params: ['vmgauge', { Port: { [ID]: { insert: { name: 1 } } } }] });
    await until(() => client.dropped === 1);
    expect(client.database().version).toBe('3.1.0');
  });

  it('has a new budget at each heartbeat', async () => {
    const client = await connect();
    for (let i = 1; i <= 5; i++) {
      for (let j = 0; j < 10; j++) say(server.peers[0], version(`${i}.${j}`));
      await until(() => client.database().version === `${i}.9`);
      await client.check(PATIENT_MS);
    }
    expect(client.isOpen).toBe(true);
    for (let j = 0; j < 20; j++) say(server.peers[0], version(`6.${j}`));
    await until(() => !client.isOpen);
    await expect(client.check(PATIENT_MS)).rejects.toEqual(failing('EFBIG'));
  });
});

describe('a server that is no good', () => {
  it.each<[string, OvsdbScript, OvsdbLimits, string]>([
    ['says nothing', () => undefined, SOON, 'ETIMEDOUT'],
    ['says half of a message', (_, peer) => void peer.write('{"id":"monitor_cond-1","result":{'), SOON, 'ETIMEDOUT'],
    ['answers other questions', (_, peer) => void say(peer, { id: 'x', result: STATE }), SOON, 'ETIMEDOUT'],
    ['closes', (_, peer) => void peer.end(), LIMITS, 'ECONNRESET'],
    ['closes within a message', (_, peer) => void peer.end('{"id":"monitor_cond-1","res'), LIMITS, 'ECONNRESET'],
    ['closes behind an unknown method', ({ id }, peer) => void peer.end(JSON.stringify({ id, error: UNKNOWN })), LIMITS, 'ECONNRESET'],
    [
      'has another database',
      (message, peer) => void say(peer, { id: message.id, result: null, error: 'unknown database' }),
      LIMITS,
      'EOPNOTSUPP',
    ],
    ['is no ovsdb-server', (_, peer) => void peer.write('HTTP/1.1 400 Bad Request\r\n\r\n'), LIMITS, 'EBADMSG'],
    ['sends bytes', (_, peer) => void peer.write(Buffer.alloc(100)), LIMITS, 'EBADMSG'],
    ['sends lists', (_, peer) => void peer.write('[1]'), LIMITS, 'EBADMSG'],
    ['answers with a list', (message, peer) => void answer(peer, message, []), LIMITS, 'EBADMSG'],
    ['answers with nothing', (message, peer) => void say(peer, { id: message.id }), LIMITS, 'EBADMSG'],
    ['answers with tables that are none', (message, peer) => void answer(peer, message, { Port: 1 }), LIMITS, 'EBADMSG'],
    ['tells changes before the first state', (_, peer) => void say(peer, version('x')), LIMITS, 'EBADMSG'],
    ['sends a long message', (_, peer) => void peer.write(`{"x":"${'x'.repeat(1001)}`), LIMITS, 'EFBIG'],
    ['sends many messages', (_, peer) => void peer.write('{"x":1}'.repeat(300)), LIMITS, 'EFBIG'],
    ['sends brackets', (_, peer) => void peer.write('['.repeat(100)), LIMITS, 'EFBIG'],
  ])('is not connected to when it %s', async (_, its, limits, code) => {
    server.script = its;
    await expect(connect(limits)).rejects.toEqual(failing(code));
    await until(() => server.peers.every(({ destroyed }) => destroyed));
    expect(changes).toBe(0);
  });

  it.each<[string, string | object, string]>([
    ['garbage', 'garbage', 'EBADMSG'],
    ['an update without tables', { method: 'update2', params: ['vmgauge'] }, 'EBADMSG'],
    ['an update of the other dialect', version('x', 'update'), 'EBADMSG'],
    ['the end of the database', { method: 'monitor_canceled', params: ['vmgauge'] }, 'ECONNRESET'],
    ['a flood of the same', JSON.stringify(version('x')).repeat(99), 'EFBIG'],
  ])('ends the connection with %s, and what was known stays', async (_, told, code) => {
    const client = await connect();
    server.peers[0].write(typeof told === 'string' ? told : JSON.stringify(told));
    await until(() => !client.isOpen);
    expect(changes).toBeGreaterThan(0);
    expect(client.database().bridges).toEqual([]);
    await expect(client.check(PATIENT_MS)).rejects.toEqual(failing(code));
    await until(() => server.peers[0].destroyed);
  });

  it('cannot make it keep a message without end', async () => {
    const client = await connect({ ...LIMITS, messageBytes: 1 << 20, budgetBytes: 1 << 30 });
    let sent = 0;
    const chunk = Buffer.alloc(1 << 16, 'x');
    const flood = (): void => {
      while (!server.peers[0].destroyed && sent < 2 ** 30) {
        sent += chunk.length;
        if (!server.peers[0].write(chunk)) return;
      }
    };
    server.peers[0].on('drain', flood).write('{"line":"');
    flood();
    await until(() => !client.isOpen);
    await expect(client.check(PATIENT_MS)).rejects.toEqual(failing('EFBIG'));
    expect(sent).toBeLessThan(16 << 20);
  });

  it('that hangs is told from one with nothing to say, is asked once, and may come back', async () => {
    const unanswered: Fields[] = [];
    const client = await connect();
    server.script = (message) => void unanswered.push(message);
    for (let i = 0; i < 3; i++) await expect(client.check(20)).rejects.toEqual(failing('ETIMEDOUT'));
    await until(() => unanswered.length > 0);
    expect([unanswered.length, client.isOpen]).toEqual([1, true]);
    server.script = (message, peer) => server.serve(message, peer);
    server.serve(unanswered[0], server.peers[0]);
    await client.check(PATIENT_MS);
    await client.check(PATIENT_MS);
    expect(server.heard.filter(({ method }) => method === 'echo').length).toBeLessThanOrEqual(3);
  });

  it('that asks for echoes and never reads gets a bounded number', async () => {
    const client = await connect({ ...LIMITS, messageBytes: 1 << 20, budgetBytes: 1 << 30 });
    const [peer] = server.peers;
    peer.pause();
    const echo = JSON.stringify({ id: 'e', method: 'echo', params: ['x'.repeat(50_000)] });
    const flood = (): void => {
      while (client.isOpen && peer.write(echo));
    };
    peer.on('drain', flood);
    flood();
    await until(() => !client.isOpen);
    await expect(client.check(PATIENT_MS)).rejects.toEqual(failing('EAGAIN'));
  });

  it('is ended with for good, and tells nothing more, when the connection is closed', async () => {
    const client = await connect();
    server.script = () => undefined;
    const waiting = client.check(PATIENT_MS);
    client.close();
    client.close();
    await expect(waiting).rejects.toEqual(failing('ECONNRESET'));
    await until(() => server.peers[0].destroyed);
    expect([client.isOpen, changes, client.database().version]).toEqual([false, 0, '3.1.0']);
  });

  it('that is not there is told by the word of the system', async () => {
    await expect(OvsdbClient.connect(join(directory, 'nobody'), LIMITS, () => undefined)).rejects.toEqual(failing('ENOENT'));
    await server.close();
    await expect(connect()).rejects.toEqual(expect.objectContaining({ code: expect.stringMatching(/^(ECONNREFUSED|ENOENT)$/) }));
  });

  it('is an outcome of its own', async () => {
    server.script = (_, peer) => void peer.write('no');
    expect(outcomeOfErrno(await connect().catch((error: unknown) => error))).toBe(Outcome.malformed);
    server.script = (message, peer) => void say(peer, { id: message.id, error: {} });
    expect(outcomeOfErrno(await connect().catch((error: unknown) => error))).toBe(Outcome.unsupported);
  });
});
