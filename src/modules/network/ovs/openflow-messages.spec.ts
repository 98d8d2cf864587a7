import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hex } from '../../../../test/fake-switch.js';
import * as messages from './openflow-messages.js';
import { echoReply, echoRequest, hello, type Question, question, STATS_TYPES, VERSIONS } from './openflow-messages.js';

const QUESTIONS = Object.keys(STATS_TYPES) as Question[];

/** Every message that the exported functions can make. */
function everything(): Buffer[] {
  const all: Buffer[] = [hello(VERSIONS, 1)];
  for (const version of VERSIONS) {
    all.push(hello([version], 1), echoRequest(version, 1), echoReply(version, 1, hex('ab')));
    for (const what of QUESTIONS) {
      try {
        all.push(question(what, version, 1));
      } catch (error) {
        expect(error).toMatchObject({ code: 'EOPNOTSUPP' });
      }
    }
  }
  return all;
}

describe('what can be said to a switch', () => {
  it('is a hello, an echo and a question, and nothing else', () => {
    const kinds = new Set(everything().map((bytes) => `${bytes[0]}/${bytes[1]}`));
    expect([...kinds].sort()).toEqual(['1/0', '1/16', '1/2', '1/3', '4/0', '4/18', '4/2', '4/3', '6/0', '6/18', '6/2', '6/3']);
  });

  it('is a question for statistics that only read', () => {
    const asked = everything()
      .filter((bytes) => bytes[1] >= 16)
      .map((bytes) => `${bytes[0]}/${bytes.readUInt16BE(8).toString(16)}`);
    const all = ['1/2', '1/3', '1/4', '1/ffff', '4/2', '4/3', '4/4', '4/9', '6/2', '6/3', '6/4', '6/9'];
    expect(asked.sort()).toEqual(all);
  });

  it('is made by these functions alone', () => {
    const functions = Object.entries(messages).flatMap(([name, value]) => (typeof value === 'function' ? [name] : []));
    expect(functions.sort()).toEqual(['echoReply', 'echoRequest', 'hello', 'question', 'statsReplyType', 'statsRequestType']);
  });

  it('is sent from one file, which takes it from here', () => {
    const directory = new URL('.', import.meta.url);
    const sources = readdirSync(directory).filter((name) => name.startsWith('openflow-') && !name.endsWith('.spec.ts'));
    const senders = sources.filter((name) => /\.send\(|StreamClient/.test(readFileSync(new URL(name, directory), 'utf8')));
    expect(senders).toEqual(['openflow-connection.ts']);
    const sent = readFileSync(new URL(senders[0], directory), 'utf8').match(/(?<=\.send\()\w+|(?<=\.exchange\(\w+, )\w+/g);
    expect(new Set(sent)).toEqual(new Set(['message', 'echoReply', 'hello', 'question', 'echoRequest']));
  });

  it('has the right length in its header', () => {
    for (const bytes of everything()) expect(bytes.readUInt16BE(2)).toBe(bytes.length);
  });

  // As `ovs-ofctl -vvconn:dbg` and a real switch have them: include/openflow/openflow-{1.0,1.1,1.3}.h, nicira-ext.h.
  it.each([
    ['hello of 1.0 and 1.5', hello([1, 6], 9), '06 00 0010 00000009 0001 0008 00000042'],
    ['tables of 1.0', question('tables', 1, 9), '01 10 000c 00000009 0003 0000'],
    ['tables of 1.5', question('tables', 6, 9), '06 12 0010 00000009 0003 0000 00000000'],
    ['ports of 1.0', question('ports', 1, 9), '01 10 0014 00000009 0004 0000 ffff 000000000000'],
    ['ports of 1.3', question('ports', 4, 9), '04 12 0018 00000009 0004 0000 00000000 ffffffff 00000000'],
    ['meters of 1.5', question('meters', 6, 9), '06 12 0018 00000009 0009 0000 00000000 ffffffff 00000000'],
    ['aggregate of 1.0', question('aggregate', 1, 9), `01 10 0038 00000009 0002 0000 003fffff ${'00'.repeat(36)} ff 00 ffff`],
    [
      'aggregate of 1.3',
      question('aggregate', 4, 9),
      `04 12 0038 00000009 0002 0000 00000000 ff000000 ffffffff ffffffff 00000000 ${'00'.repeat(16)} 0001 0004 00000000`,
    ],
    [
      'flow monitor',
      question('flowMonitor', 1, 9),
      '01 10 0028 00000009 ffff 0000 00002320 00000002 00000000 00000001 002e ffff 0000 ff 0000000000',
    ],
    ['echo', echoRequest(4, 9), '04 02 0008 00000009'],
    ['answer to an echo', echoReply(4, 9, hex('010203')), '04 03 000b 00000009 010203'],
  ])('%s', (_, bytes, text) => {
    expect(bytes).toEqual(hex(text));
  });

  it('repeats the longest echo there is', () => {
    expect(echoReply(1, 9, Buffer.alloc(65_527)).readUInt16BE(2)).toBe(65_535);
  });

  it('has no words for meters in 1.0, nor for a flow monitor after it', () => {
    const unsupported = expect.objectContaining({ code: 'EOPNOTSUPP' });
    expect(() => question('meters', 1, 9)).toThrow(unsupported);
    for (const version of [4, 6] as const) expect(() => question('flowMonitor', version, 9)).toThrow(unsupported);
  });
});
