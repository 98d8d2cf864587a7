import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeSwitch, hex, wire, withXid } from '../../../../test/fake-switch.js';
import { PATIENT_MS, until } from '../../../../test/holding.js';
import { recorded } from '../../../../test/openflow-recorded.js';
import { OpenFlowClient } from './openflow-client.js';
import type { Frame } from './openflow-frames.js';
import type { Version } from './openflow-messages.js';

const SHORT_MS = 40;
const LIMITS = { deadlineMs: PATIENT_MS, answerBytes: 1 << 20 };

let directory: string;
let path: string;
let fake: FakeSwitch;
const clients: OpenFlowClient[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-openflow-'));
  path = join(directory, 'br-int.mgmt');
  fake = await FakeSwitch.listen(path);
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await fake.close();
  rmSync(directory, { recursive: true, force: true });
});

async function connect(versions: readonly Version[] = [1], limits = LIMITS): Promise<OpenFlowClient> {
  const client = await OpenFlowClient.connect(path, versions, limits);
  clients.push(client);
  return client;
}
const rejected = (code: string): unknown => expect.objectContaining({ code });
/** Everything is answered as a real switch did, in 1.0. */
const asRecorded = ({ type, xid, body }: Frame): Buffer =>
  type === 2
    ? wire(1, 3, xid, body)
    : withXid(recorded(({ 2: 'aggregate10', 3: 'tables10', 4: 'ports10' } as const)[body.readUInt16BE(0) as 2]), xid);
/** A table of 1.0 with this number of flows. */
const table = (id: number, active: number): Buffer => {
  const record = Buffer.alloc(64);
  record[0] = id;
  record.writeUInt32BE(active, 44);
  return record;
};
const tablesPart = (xid: number, flags: number, ...records: readonly Buffer[]): Buffer =>
  wire(1, 17, xid, Buffer.concat([hex('0003'), Buffer.of(0, flags), ...records]));

describe('a hello', () => {
  it.each([
    [[1, 4, 6], '06 00 0010 00000003 0001 0008 00000052', 6],
    [[1, 4], '06 00 0010 00000003 0001 0008 00000052', 4],
    [[6, 1], '06 00 0010 00000003 0001 0008 00000012', 1],
    [[1, 4], '06 00 0008 00000003', 4],
    [[1, 6], '04 00 0008 00000003', 1],
    [[1], '01 00 0008 00000003', 1],
  ] as const)('of %j to %s agrees on %i', async (versions, hello, version) => {
    fake.hello = hex(hello);
    const client = await connect(versions);
    expect([client.version, client.isOpen]).toEqual([version, true]);
    await until(() => fake.heard.length === 1);
    expect(fake.heard[0]).toMatchObject({ type: 0, version: Math.max(...versions) });
  });

  it('without a common version is an error, and nothing stays open', async () => {
    fake.hello = hex('06 00 0010 00000003 0001 0008 00000042');
    await expect(connect([4])).rejects.toEqual(rejected('EPROTONOSUPPORT'));
    await until(() => fake.connections === 0);
  });

  it.each([
    ['a refusal', hex('06 01 000c 00000000 0000 0000'), 'EPROTONOSUPPORT'],
    ['a refusal of another kind', hex('06 01 000c 00000000 0000 0001'), 'EPERM'],
    ['something else', wire(1, 17, 0, hex('0003 0000')), 'EBADMSG'],
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'.padEnd(30_000)), 'EBADMSG'],
    ['a JSON greeting', Buffer.from('{"QMP": {"version": {}}}\r\n'.padEnd(30_000)), 'EBADMSG'],
    ['a length of 0', hex('06 00 0000 00000003'), 'EBADMSG'],
    ['a broken bitmap', hex('06 00 000c 00000003 0001 0000'), 'EBADMSG'],
    ['a flood without an end', Buffer.alloc(2 << 20, hex('01 00 ffff 00000000')), 'EFBIG'],
  ])('that is %s is an error', async (_, hello, code) => {
    fake.hello = hello;
    await expect(connect([1], { ...LIMITS, answerBytes: code === 'EFBIG' ? 1000 : LIMITS.answerBytes })).rejects.toEqual(rejected(code));
    await until(() => fake.connections === 0);
  });

  it('that does not come ends with the deadline', async () => {
    fake.hello = Buffer.alloc(0);
    await expect(connect([1], { ...LIMITS, deadlineMs: SHORT_MS })).rejects.toEqual(rejected('ETIMEDOUT'));
    await until(() => fake.connections === 0);
  });

  it('is not awaited where nobody listens', async () => {
    await expect(OpenFlowClient.connect(join(directory, 'nobody'), [1], LIMITS)).rejects.toEqual(rejected('ENOENT'));
    await fake.close();
    await expect(connect()).rejects.toEqual(rejected('ENOENT'));
  });
});

describe('questions', () => {
  it('may overlap, and each gets its own answer', async () => {
    fake.reply = asRecorded;
    const client = await connect();
    const [tables, ports, aggregate, again] = await Promise.all([
      client.tables(PATIENT_MS),
      client.ports(PATIENT_MS),
      client.aggregate(PATIENT_MS),
      client.tables(PATIENT_MS),
      client.check(PATIENT_MS),
    ]);
    expect(tables).toHaveLength(254);
    expect(again).toEqual(tables);
    expect(ports.map(({ number }) => number)).toEqual([65534, 1, 2]);
    expect(aggregate).toEqual({ packets: 30, bytes: 4260, flows: 2 });
    const xids = fake.heard.map(({ xid }) => xid);
    expect(new Set(xids).size).toBe(xids.length);
  });

  it('get their answers in any order, in any pieces, with anything in between', async () => {
    const asked: Frame[] = [];
    fake.reply = (frame) => {
      asked.push(frame);
      return undefined;
    };
    const client = await connect();
    const [first, second] = [client.tables(PATIENT_MS), client.tables(PATIENT_MS)];
    await until(() => asked.length === 2);
    const [one, two] = asked.map(({ xid }) => xid);
    const bytes = Buffer.concat([
      tablesPart(two, 1, table(1, 10)),
      // A packet, a port state, an unknown message, an answer and an unknown kind of statistics that nobody asked for.
      ...[
        wire(1, 10, 0, hex('aabb')),
        wire(1, 12, 0, hex('00')),
        wire(1, 99, 0),
        tablesPart(4711, 0, table(9, 9)),
        wire(1, 17, 0, hex('0063 0000')),
      ],
      tablesPart(one, 0, table(1, 20)),
      tablesPart(two, 1),
      tablesPart(two, 0, table(2, 30), table(1, 11)),
      // Once more, when nobody waits for them.
      ...[tablesPart(two, 0, table(3, 99)), tablesPart(one, 0, table(3, 99)), wire(1, 1, one, hex('0001 0002'))],
    ]);
    for (const byte of bytes) {
      fake.say(Buffer.of(byte));
      if (byte === 0x11) await pause(0);
    }
    const flows = (await Promise.all([first, second])).map((tables) => tables.map(({ id, active }) => [id, active]));
    expect(flows).toEqual([
      [[1, 20]],
      [
        [1, 11],
        [2, 30],
      ],
    ]);
    expect(client.isOpen).toBe(true);
  });

  it('are answered by us, when the switch asks for an echo', async () => {
    const client = await connect();
    fake.say(wire(1, 2, 77, hex('010203')));
    await until(() => fake.heard.length === 2);
    expect(fake.heard[1]).toEqual({ version: 1, type: 3, xid: 77, body: hex('010203') });
    expect(client.isOpen).toBe(true);
  });

  it.each([
    ['meters of a switch without', '000c 0002', 'EOPNOTSUPP'],
    ['statistics it does not know', '0001 0002', 'EOPNOTSUPP'],
    ['a question it may not answer', '0001 0005', 'EPERM'],
    ['something else', '0001 0006', 'EIO'],
  ])('are refused: %s', async (_, words, code) => {
    fake.reply = ({ xid }) => wire(4, 1, xid, hex(words));
    const client = await connect([4]);
    await expect(client.meters(PATIENT_MS)).rejects.toMatchObject({ name: 'OpenFlowRefusal', code });
    expect(client.isOpen).toBe(true);
  });

  it('leave no timer behind when they are answered', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    fake.reply = asRecorded;
    const client = await connect();
    const before = timers();
    for (let i = 0; i < 20; i++) await client.check(PATIENT_MS);
    expect(timers()).toBeLessThan(before + 10);
  });

  it('for meters in 1.0 are not even asked', async () => {
    const client = await connect([1]);
    await expect(client.meters(PATIENT_MS)).rejects.toEqual(rejected('EOPNOTSUPP'));
    expect(client.isOpen).toBe(true);
  });

  it('that come out wrong are malformed, and cost the others nothing', async () => {
    const wrong = [hex('0003 0000 aa'), hex('0004 0000'), hex('00')];
    const replies = [...wrong.map((body) => (xid: number) => wire(1, 17, xid, body)), (xid: number) => wire(1, 3, xid)];
    const client = await connect();
    for (const reply of replies) {
      fake.reply = ({ xid }) => reply(xid);
      await expect(client.tables(PATIENT_MS)).rejects.toEqual(rejected('EBADMSG'));
    }
    fake.reply = asRecorded;
    expect(await client.tables(PATIENT_MS)).toHaveLength(254);
  });
});

describe('a switch that misbehaves', () => {
  it('is not waited for, and an answer that is late is nobody’s', async () => {
    const asked: number[] = [];
    fake.reply = ({ xid }) => {
      asked.push(xid);
      return undefined;
    };
    const client = await connect();
    await expect(client.tables(SHORT_MS)).rejects.toEqual(rejected('ETIMEDOUT'));
    await expect(client.check(SHORT_MS)).rejects.toEqual(rejected('ETIMEDOUT'));
    fake.reply = ({ xid }) => Buffer.concat([tablesPart(asked[0], 0, table(1, 1)), tablesPart(xid, 0, table(2, 2))]);
    expect(await client.tables(PATIENT_MS)).toMatchObject([{ id: 2 }]);
  });

  it('never ends its answer: the bytes of it do', async () => {
    fake.reply = ({ xid }, socket) => {
      const more = (): void => {
        while (socket.writable && socket.write(tablesPart(xid, 1))) void 0;
        if (socket.writable) socket.once('drain', more);
      };
      more();
      return undefined;
    };
    const client = await connect([1], { ...LIMITS, answerBytes: 100_000 });
    await expect(client.tables(PATIENT_MS)).rejects.toEqual(rejected('EFBIG'));
    expect(client.isOpen).toBe(false);
    await expect(client.tables(PATIENT_MS)).rejects.toEqual(rejected('EFBIG'));
  });

  it('never stops talking when nothing was asked: its bytes are bounded', async () => {
    const client = await connect([1], { ...LIMITS, answerBytes: 10_000 });
    fake.say(Buffer.concat(Array(200).fill(wire(1, 10, 0, Buffer.alloc(100)))));
    await until(() => !client.isOpen);
    await until(() => fake.connections === 0);
  });

  it('may talk as much as it likes in the long run', async () => {
    fake.reply = asRecorded;
    const client = await connect([1], { ...LIMITS, answerBytes: 10_000 });
    for (let round = 0; round < 20; round++) {
      fake.say(Buffer.concat(Array(50).fill(wire(1, 10, 0, Buffer.alloc(100)))));
      await client.check(PATIENT_MS);
    }
    expect(client.isOpen).toBe(true);
  });

  it.each([
    ['closes in the middle', recorded('ports10').subarray(0, 100), 'ECONNRESET'],
    ['sends a length of 3', hex('01 11 0003 00000001'), 'EBADMSG'],
    ['changes its version', wire(4, 19, 1, hex('0004 0000 00000000')), 'EBADMSG'],
  ])('%s: all that was asked has ended', async (_, bytes, code) => {
    fake.reply = (_frame, socket) => {
      socket.end(bytes);
      return undefined;
    };
    const client = await connect();
    const asked = [client.ports(PATIENT_MS), client.tables(PATIENT_MS), client.check(PATIENT_MS)];
    for (const one of await Promise.allSettled(asked)) expect(one).toMatchObject({ status: 'rejected', reason: { code } });
    expect(client.isOpen).toBe(false);
    await expect(client.ports(PATIENT_MS)).rejects.toEqual(rejected(code));
  });

  it('does not read what we answer: it is let go', async () => {
    const client = await connect();
    // Echo requests of 60 KB, which we would have to keep answered.
    fake.reply = (_frame, socket) => {
      socket.pause();
      return Buffer.concat(Array(12).fill(wire(1, 2, 5, Buffer.alloc(60_000))));
    };
    await expect(client.check(PATIENT_MS)).rejects.toEqual(rejected('EAGAIN'));
    expect(client.isOpen).toBe(false);
  });
});

describe('closing', () => {
  it('ends what waits, and may be done twice', async () => {
    const client = await connect();
    const asked = client.tables(PATIENT_MS);
    client.close();
    client.close();
    await expect(asked).rejects.toEqual(rejected('ECONNRESET'));
    await expect(client.check(PATIENT_MS)).rejects.toEqual(rejected('ECONNRESET'));
    expect(client.isOpen).toBe(false);
    await until(() => fake.connections === 0);
  });
});
