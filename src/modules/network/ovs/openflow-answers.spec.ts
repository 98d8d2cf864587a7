import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hex, wire } from '../../../../test/fake-switch.js';
import { type Recorded, recorded } from '../../../../test/openflow-recorded.js';
import { aggregate, meters, offeredVersions, ports, refusal, statsPart, tables } from './openflow-answers.js';
import { type Frame, FrameSplitter } from './openflow-frames.js';
import type { Version } from './openflow-messages.js';
import { flowUpdates, isPause } from './openflow-updates.js';

const MALFORMED = expect.objectContaining({ code: 'EBADMSG' });
const frames = (name: Recorded): Frame[] => [...new FrameSplitter().take(recorded(name))];
const body = (name: Recorded): Buffer => statsPart(frames(name)[0], frames(name)[0].version as Version).body;
const IDLE = { rxPackets: 0, txPackets: 0, rxBytes: 0, txBytes: 0, rxDrops: 0, txDrops: 0, rxErrors: 0, txErrors: 0 };

/** Every decoder of bytes that a switch sends, by name. */
const DECODERS: Readonly<Record<string, (bytes: Buffer) => unknown>> = {
  ...Object.fromEntries(
    ([1, 4, 6] as const).flatMap((version) => [
      [`tables ${version}`, (bytes: Buffer) => tables(version, bytes)],
      [`ports ${version}`, (bytes: Buffer) => ports(version, bytes)],
      [`aggregate ${version}`, (bytes: Buffer) => aggregate(version, bytes)],
      [`part ${version}`, (bytes: Buffer) => statsPart({ version, type: 19, xid: 1, body: bytes }, version)],
      [`hello ${version}`, (bytes: Buffer) => offeredVersions({ version, type: 0, xid: 1, body: bytes })],
    ]),
  ),
  meters,
  refusal: (bytes) => refusal({ version: 1, type: 1, xid: 1, body: bytes }),
  flowUpdates,
  pause: (bytes) => isPause({ version: 1, type: 4, xid: 1, body: bytes }),
};

describe('what a real switch answered', () => {
  it('has 254 tables, and the name of one', () => {
    const [first, second, ...others] = tables(1, body('tables10'));
    expect(first).toEqual({ id: 0, name: 'Classifier', active: 2, lookups: 30, matches: 30 });
    expect(second).toEqual({ id: 1, name: '', active: 0, lookups: 0, matches: 0 });
    expect(others.map(({ id }) => id)).toEqual(Array.from({ length: 252 }, (_, i) => i + 2));
  });

  it('has the same tables without names since 1.3', () => {
    const [first, ...others] = tables(4, body('tables13'));
    expect(first).toEqual({ id: 0, name: '', active: 2, lookups: 30, matches: 30 });
    expect(others).toHaveLength(253);
  });

  it.each([
    ['ports10', 1, 10],
    ['ports13', 4, 5],
    ['ports15', 6, 10],
  ] as const)('has %s, of which the bridge’s own is 65534', (name, version, sent) => {
    expect(ports(version, body(name))).toEqual([
      { number: 65534, ...IDLE },
      { number: 1, ...IDLE, rxPackets: 30, rxBytes: 30 * 142 },
      { number: 2, ...IDLE, txPackets: sent, txBytes: sent * 142 },
    ]);
  });

  it.each([
    ['meters13', 1, 25],
    ['meters15', 256, 20],
  ] as const)('has %s with what their band dropped', (name, id, dropped) => {
    const bands = [{ packets: dropped, bytes: dropped * 142 }];
    expect(meters(body(name))).toEqual([{ id, flows: 1, packets: 30, bytes: 30 * 142, bands }]);
  });

  it.each([
    ['aggregate10', 1],
    ['aggregate13', 4],
    ['aggregate15', 6],
  ] as const)('has an %s', (name, version) => {
    expect(aggregate(version, body(name))).toEqual({ packets: 30, bytes: 30 * 142, flows: 2 });
  });

  it.each([
    ['hello10', [1, 6]],
    ['hello13', [1, 4]],
    ['hello15', [1, 6]],
  ] as const)('offers in %s what the bridge accepts', (name, versions) => {
    const offered = offeredVersions(frames(name)[0]);
    expect(Array.from({ length: 8 }, (_, version) => version).filter((version) => (offered >>> version) & 1)).toEqual(versions);
  });

  it('refuses a version, and a length', () => {
    expect(refusal(frames('wrongVersion')[1])).toMatchObject({ code: 'EPROTONOSUPPORT', type: 0, reason: 0 });
    expect(refusal(frames('badLength')[0])).toMatchObject({ code: 'EIO', type: 1, reason: 6, message: 'the switch answers error 1/6' });
  });

  it('tells of a flow that came, was changed, and went', () => {
    const updates = frames('flowUpdates').map((frame) => flowUpdates(statsPart(frame, 1).body));
    const nothing = { added: 0, deleted: 0, modified: 0, abbreviated: 0 };
    expect(flowUpdates(body('flowMonitor'))).toEqual(nothing);
    expect(updates).toEqual([
      { ...nothing, added: 1 },
      { ...nothing, modified: 1 },
      { ...nothing, deleted: 1 },
    ]);
  });
});

describe('numbers', () => {
  const lookups = (digits: string): number | null => {
    const record = Buffer.alloc(64);
    hex(digits).copy(record, 48);
    return tables(1, record)[0].lookups;
  };

  it.each([
    ['0000000000000000', 0],
    ['00000000ffffffff', 2 ** 32 - 1],
    ['001fffffffffffff', 2 ** 53 - 1],
    ['0020000000000001', 2 ** 53],
    ['8000000000000000', 2 ** 63],
    ['fffffffffffffffe', 2 ** 64],
    ['ffffffffffffffff', null],
  ])('%s', (digits, value) => {
    expect(lookups(digits)).toBe(value);
  });

  it('are exact to 2^53, and beyond it what a BigInt rounds to', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 2n }), (value) => {
        expect(lookups(value.toString(16).padStart(16, '0'))).toBe(Number(value));
      }),
    );
  });

  it('that are not counted are null everywhere, and never 0', () => {
    const ones = (bytes: number, at: number): Buffer => Buffer.concat([Buffer.alloc(at), Buffer.alloc(bytes - at, 0xff)]);
    const uncounted = Object.fromEntries(Object.keys(IDLE).map((key) => [key, null]));
    expect(tables(1, ones(64, 48))[0]).toMatchObject({ lookups: null, matches: null });
    expect(tables(6, ones(24, 8))[0]).toMatchObject({ lookups: null, matches: null });
    expect(ports(1, ones(104, 8))).toEqual([{ number: 0, ...uncounted }]);
    const record = ones(80, 16);
    record.writeUInt16BE(80, 0);
    expect(ports(6, record)).toEqual([{ number: 0, ...uncounted }]);
    const meter = ones(56, 12);
    meter.writeUInt16BE(56, 4);
    expect(meters(meter)).toEqual([{ id: 0, flows: null, packets: null, bytes: null, bands: [{ packets: null, bytes: null }] }]);
    expect(aggregate(1, ones(24, 0))).toEqual({ packets: null, bytes: null, flows: null });
  });

  it('of a 1.5 aggregate are null when it does not tell them', () => {
    expect(aggregate(6, hex('0000 0010 80020808 0000000000000007'))).toEqual({ packets: 7, bytes: null, flows: null });
    expect(aggregate(6, hex('0000 0004 00000000'))).toEqual({ packets: null, bytes: null, flows: null });
    // A field of another class, one of an unknown size, and then one of ours.
    const fields = '80010804 00000001 80020803 010203 80020604 00000009';
    expect(aggregate(6, hex(`0000 001b ${fields}`))).toEqual({ packets: null, bytes: null, flows: 9 });
  });
});

describe('bytes that are wrong', () => {
  const NAMES: readonly Recorded[] = [
    ...(['tables10', 'tables13', 'ports10', 'ports13', 'ports15', 'meters13', 'meters15'] as const),
    ...(['aggregate10', 'aggregate13', 'aggregate15', 'flowMonitor', 'flowUpdates'] as const),
  ];

  it.each(NAMES)('are an error or a shorter list in every truncation of %s', (name) => {
    const { version } = frames(name)[0];
    const key = { t: 'tables', p: 'ports', a: 'aggregate' }[name[0]];
    const decode = key ? DECODERS[`${key} ${version}`] : DECODERS[name.startsWith('meters') ? 'meters' : 'flowUpdates'];
    const whole = body(name);
    const all = decode(whole);
    const nothing = { added: 0, deleted: 0, modified: 0, abbreviated: 0 };
    for (let end = 0; end < whole.length; end += whole.length > 2000 ? 7 : 1) {
      let shorter: unknown;
      try {
        shorter = decode(whole.subarray(0, end));
      } catch (error) {
        expect(error).toEqual(MALFORMED);
        continue;
      }
      if (Array.isArray(all) && Array.isArray(shorter)) expect(shorter).toEqual(all.slice(0, shorter.length));
      else expect([all, nothing]).toContainEqual(shorter);
    }
  });

  it.each(Object.keys(DECODERS))('never bring down %s', (name) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          DECODERS[name](Buffer.from(bytes));
        } catch (error) {
          expect(error).toEqual(MALFORMED);
        }
      }),
    );
  });

  it.each(NAMES)('never bring down anything when single bytes of %s are others', (name) => {
    const { version } = frames(name)[0];
    const whole = body(name);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(whole);
        changed[at] = byte;
        for (const decode of Object.values(DECODERS)) {
          try {
            decode(changed);
          } catch (error) {
            expect(error, `version ${version}`).toEqual(MALFORMED);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  const patched = (name: Recorded, at: number, length: number): Buffer => {
    const bytes = Buffer.from(body(name));
    bytes.writeUInt16BE(length, at);
    return bytes;
  };
  it.each([0, 1, 39, 41, 57, 0xffff])('are a meter of %i bytes', (length) => {
    expect(() => meters(patched('meters13', 4, length))).toThrow(MALFORMED);
  });
  it.each([0, 79, 81, 0xffff])('are a port of %i bytes in 1.5', (length) => {
    expect(() => ports(6, patched('ports15', 0, length))).toThrow(MALFORMED);
  });
  it.each([0, 3, 225, 0xffff])('are a property of %i bytes', (length) => {
    expect(() => ports(6, patched('ports15', 82, length))).toThrow(MALFORMED);
  });
  it.each([0, 3, 0xffff])('are statistics of %i bytes', (length) => {
    expect(() => aggregate(6, patched('aggregate15', 2, length))).toThrow(MALFORMED);
  });
  it.each(['0000 0008 80020808', '0000 0006 8002', '0000 000c 80020808 00000000'])('are the statistics %s', (text) => {
    expect(() => aggregate(6, hex(text))).toThrow(MALFORMED);
  });
  it.each([0, 7, 0xffff])('are a flow update of %i bytes', (length) => {
    const bytes = Buffer.from(statsPart(frames('flowUpdates')[0], 1).body);
    bytes.writeUInt16BE(length, 12);
    expect(() => flowUpdates(bytes)).toThrow(MALFORMED);
  });
});

describe('a hello', () => {
  const hello = (version: number, text: string): Frame => ({ version, type: 0, xid: 1, body: hex(text) });

  it('without a bitmap offers all up to its version', () => {
    expect(offeredVersions(hello(1, ''))).toBe(0b11);
    expect(offeredVersions(hello(4, ''))).toBe(0b11111);
    expect(offeredVersions(hello(4, '0002 0005 00 000000'))).toBe(0b11111);
    expect(offeredVersions(hello(255, '')) >>> 0).toBe(0xffffffff);
  });

  it('of 1.0 has nothing but its header, whatever follows', () => {
    expect(offeredVersions(hello(1, '0001 0000 ff'))).toBe(0b11);
  });

  it('may have its bitmap behind something else', () => {
    expect(offeredVersions(hello(6, '0009 0008 aaaaaaaa 0009 0005 aa 000000 0001 000c 00000010 00000001'))).toBe(1 << 4);
  });

  it.each(['0001 0000 00000010', '0001 0003 00000010', '0001 000c 00000010', '0001'])('with %s is none', (text) => {
    expect(() => offeredVersions(hello(6, text))).toThrow(MALFORMED);
  });
});

describe('a refusal', () => {
  const refused = (text: string): unknown => refusal({ version: 4, type: 1, xid: 1, body: hex(text) });

  it.each([
    ['0000 0000', 'EPROTONOSUPPORT'],
    ['0000 0001', 'EPERM'],
    ['0001 0000', 'EOPNOTSUPP'],
    ['0001 0002', 'EOPNOTSUPP'],
    ['0001 0004', 'EOPNOTSUPP'],
    ['0001 0005', 'EPERM'],
    ['0001 0006', 'EIO'],
    ['000c 0002', 'EOPNOTSUPP'],
    ['0002 0000', 'EIO'],
    ['ffff ffff 00112233', 'EIO'],
  ])('%s is %s', (text, code) => {
    expect(refused(text)).toMatchObject({ name: 'OpenFlowRefusal', code });
  });
});

describe('a message of a vendor', () => {
  it.each([
    ['00002320 00000016', true],
    ['00002320 00000017', false],
    ['00002321 00000016', false],
  ])('%s is a pause: %s', (text, expected) => {
    expect(isPause({ version: 1, type: 4, xid: 0, body: hex(text) })).toBe(expected);
  });

  it('is no flow monitor under another name', () => {
    expect(() => flowUpdates(hex('00002321 00000002 00000000'))).toThrow(MALFORMED);
    expect(() => flowUpdates(hex('00002320 00000003 00000000'))).toThrow(MALFORMED);
  });

  it('counts what is abbreviated, and passes over events that nobody knows', () => {
    const updates = flowUpdates(hex('00002320 00000002 00000000 0008 0003 00000009 0008 0004 00000000 0008 0001 00000000'));
    expect(updates).toEqual({ added: 0, deleted: 1, modified: 0, abbreviated: 1 });
  });
});

describe('a part of an answer', () => {
  it('says whether more is to come', () => {
    const part = (text: string): unknown => statsPart([...new FrameSplitter().take(wire(1, 17, 5, hex(text)))][0], 1);
    expect(part('0003 0001 aa')).toEqual({ type: 3, hasMore: true, body: hex('aa') });
    expect(part('0003 fffe')).toEqual({ type: 3, hasMore: false, body: Buffer.alloc(0) });
  });
});
