import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, kernelSample } from '../../../../test/kernel-samples.js';
import { MAX_ZONES, ZoneCounter, type ZoneCounts } from './conntrack-zones.js';

const TABLE = kernelSample('linux-6.18-conntrack/table');
const entry = (zone: string): string =>
  `ipv4     2 udp      17 29 src=127.0.0.1 dst=127.0.0.1 sport=4 dport=9 [UNREPLIED] src=127.0.0.1 dst=127.0.0.1 sport=9 dport=4 mark=0 ${zone}use=2\n`;

function count(...pieces: readonly string[]): ZoneCounts {
  const counter = new ZoneCounter();
  for (const piece of pieces) expect(counter.take(Buffer.from(piece, 'latin1'))).toBe(true);
  return counter.finish();
}

describe('net/nf_conntrack', () => {
  it('is counted by zone, whichever directions the zone is for', () => {
    const { zones, ...rest } = count(TABLE);
    expect([...zones]).toEqual([
      [0, 3],
      [5, 3],
      [65_520, 4],
    ]);
    expect(rest).toEqual({ inOthers: 0, malformed: 0 });
    const reply = entry('').replace('mark=0 ', 'zone-reply=77 mark=0 ');
    expect([...count(reply, entry('zone=65535 ')).zones]).toEqual([
      [77, 1],
      [65_535, 1],
    ]);
  });

  it('is counted the same wherever it is cut into pieces', () => {
    const whole = count(TABLE);
    for (let at = 0; at <= TABLE.length; at++) expect(count(TABLE.slice(0, at), TABLE.slice(at))).toEqual(whole);
  });

  it('is all of zone 0 where the kernel has no zones', () => {
    expect([...count(entry(''), entry('')).zones]).toEqual([[0, 2]]);
  });

  it('has lines of IPv6, with counters, a security context and times', () => {
    const long =
      'ipv6     10 tcp      6 431999 ESTABLISHED src=fe80:0000:0000:0000:0000:0000:0000:0001 dst=fe80:0000:0000:0000:0000:0000:0000:0002 sport=1 dport=2 packets=3 bytes=4 ' +
      'src=fe80:0000:0000:0000:0000:0000:0000:0002 dst=fe80:0000:0000:0000:0000:0000:0000:0001 sport=2 dport=1 packets=5 bytes=6 [ASSURED] mark=7 ' +
      'secctx=system_u:object_r:unlabeled_t:s0 zone=9 delta-time=12 use=1\n';
    expect([...count(long).zones]).toEqual([[9, 1]]);
  });

  it('says how many lines are no entry, and takes none of them for one', () => {
    const bad = ['\n', 'x\n', entry('zone=65536 '), entry('zone=123456 '), entry('zone=5 ').replace('use=2', 'use='), TABLE.slice(0, 40)];
    expect(count(...bad)).toEqual({ zones: new Map(), inOthers: 0, malformed: 6 });
    expect(count(entry('zone=1 '), ...bad).zones).toEqual(new Map([[1, 1]]));
  });

  it('keeps the largest zones where there are too many, and says how much it left out', () => {
    const small = Array.from({ length: MAX_ZONES + 10 }, (_, zone) => entry(`zone=${zone} `)).join('');
    const { zones, inOthers, malformed } = count(small, entry('zone=1030 '), entry('zone=1031 '));
    expect(zones.size).toBe(MAX_ZONES);
    expect([zones.get(1030), zones.get(1031)]).toEqual([2, 2]);
    expect([...zones.keys()]).toEqual([...zones.keys()].sort((a, b) => a - b));
    expect([inOthers, malformed]).toEqual([10, 0]);
  });

  it('is given up where a line has no end', () => {
    const counter = new ZoneCounter();
    expect(counter.take(Buffer.alloc(16_384, 'x'))).toBe(true);
    expect(counter.take(Buffer.alloc(1, 'x'))).toBe(false);
  });

  it('survives anything, and counts every line once', () => {
    fc.assert(
      fc.property(fc.array(anyText, { maxLength: 20 }), (pieces) => {
        const { zones, inOthers, malformed } = count(...pieces);
        const text = pieces.join('');
        const lines = text.split('\n').length - (text === '' || text.endsWith('\n') ? 1 : 0);
        expect([...zones.values()].reduce((sum, entries) => sum + entries, 0) + inOthers + malformed).toBe(lines);
      }),
    );
  });
});
