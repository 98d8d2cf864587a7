import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hex, wire } from '../../../../test/fake-switch.js';
import { RECORDINGS, recorded } from '../../../../test/openflow-recorded.js';
import { type Frame, FrameSplitter } from './openflow-frames.js';

const split = (...pieces: readonly Buffer[]): Frame[] => {
  const splitter = new FrameSplitter();
  return pieces.flatMap((piece) => [...splitter.take(piece)]);
};
const rebuilt = (frames: readonly Frame[]): Buffer =>
  Buffer.concat(frames.map(({ version, type, xid, body }) => wire(version, type, xid, body)));
const cutAt = (bytes: Buffer, cuts: readonly number[]): Buffer[] => {
  const at = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
};

describe('messages out of a stream', () => {
  it('have a version, a type, an xid and a body', () => {
    expect(split(hex('06 13 000a 00000007 abcd'))).toEqual([{ version: 6, type: 19, xid: 7, body: hex('abcd') }]);
    expect(split(hex('ff ff 0008 ffffffff'))).toEqual([{ version: 255, type: 255, xid: 0xffffffff, body: Buffer.alloc(0) }]);
  });

  it('are the same however the stream was cut', () => {
    const message = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(0xffffffff), fc.uint8Array({ maxLength: 40 }));
    const messages = fc.array(message, { maxLength: 8 });
    const cuts = fc.array(fc.nat(400), { maxLength: 30 });
    fc.assert(
      fc.property(messages, cuts, (list, at) => {
        const bytes = Buffer.concat(list.map(([version, type, xid, body]) => wire(version, type, xid, Buffer.from(body))));
        const pieces = cutAt(
          bytes,
          at.map((cut) => cut % (bytes.length + 1)),
        );
        const frames = split(...pieces);
        expect(frames).toHaveLength(list.length);
        expect(rebuilt(frames)).toEqual(bytes);
      }),
    );
  });

  it('are the same byte by byte, as a switch wrote them', () => {
    const bytes = Buffer.concat(RECORDINGS.map(recorded));
    const single = Array.from(bytes, (byte) => Buffer.of(byte));
    expect(rebuilt(split(...single))).toEqual(bytes);
    expect(split(...single)).toEqual(split(bytes));
  });

  it('come as soon as they are whole, and not before', () => {
    const splitter = new FrameSplitter();
    const [one, two] = [wire(1, 2, 3, hex('0102')), wire(1, 3, 4)];
    expect([...splitter.take(one.subarray(0, 9))]).toEqual([]);
    expect([...splitter.take(Buffer.concat([one.subarray(9), two]))].map(({ xid }) => xid)).toEqual([3, 4]);
    expect([...splitter.take(Buffer.alloc(0))]).toEqual([]);
  });

  it('have up to 65,535 bytes', () => {
    const bytes = wire(1, 2, 3, Buffer.alloc(65_527, 9));
    expect(rebuilt(split(...cutAt(bytes, [1, 7, 8, 9, 40_000])))).toEqual(bytes);
  });

  it.each([0, 1, 7])('are none with a length of %i', (length) => {
    const bytes = hex('01 00 0000 00000001');
    bytes.writeUInt16BE(length, 2);
    expect(() => split(bytes)).toThrow(expect.objectContaining({ code: 'EBADMSG' }));
    expect(() => split(bytes.subarray(0, 3), bytes.subarray(3))).toThrow(expect.objectContaining({ code: 'EBADMSG' }));
  });
});
