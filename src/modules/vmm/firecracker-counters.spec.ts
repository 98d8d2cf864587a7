import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FirecrackerCounters } from './firecracker-counters.js';

const LINE = readFileSync(new URL('../../../fixtures/firecracker/metrics-line.json', import.meta.url), 'utf8').trim();
const START = 1_739_000_000_000;
const MINUTE = 60_000;

const line = (ms: number, groups: object = {}): string => JSON.stringify({ utc_timestamp_ms: ms, ...groups });
const counters = (...lines: (string | null)[]): FirecrackerCounters => {
  const made = new FirecrackerCounters(START);
  for (const one of lines) made.add(one);
  return made;
};

const numbersOf = (made: FirecrackerCounters): Map<string, number> => {
  const numbers = new Map<string, number>();
  const add = (prefix: string, value: object): void => {
    for (const [name, number] of Object.entries(value)) numbers.set(`${prefix}.${name}`, number);
  };
  add('exits', made.exits);
  add('balloon', made.balloon);
  add('events', made.events);
  for (const { device, numbers: own } of made.disks) add(`disk ${device}`, own);
  for (const { device, numbers: own } of made.vnics) add(`vnic ${device}`, own);
  return numbers;
};

/** What may be smaller than it was: the shortest request so far, a value and no count. */
const isCount = (name: string): boolean => !/lifetime\w+(Min|Max)/.test(name);

describe('numbers of a line', () => {
  it('know every member that is counted in a line as Firecracker writes it', () => {
    const made = counters(LINE.replace('"utc_timestamp_ms":0', `"utc_timestamp_ms":${START}`));
    const zeros = Object.fromEntries([...numbersOf(made)]);
    expect(Object.values(zeros).every((number) => number === 0)).toBe(true);
    expect(made.disks.map(({ device }) => device)).toEqual(['rootfs']);
    expect(made.vnics.map(({ device }) => device)).toEqual(['eth0']);
    expect(Object.keys(zeros)).toEqual([
      ...['ioIn', 'ioOut', 'mmioRead', 'mmioWrite', 'failures'].map((name) => `exits.${name}`),
      ...['inflations', 'deflations'].map((name) => `balloon.${name}`),
      ...['vmm-panic', 'seccomp-fault', 'fatal-signal', 'missed-metrics'].map((name) => `events.${name}`),
      ...['readBytes', 'writtenBytes', 'reads', 'writes', 'flushes', 'readNanoseconds', 'writeNanoseconds'].map(
        (name) => `disk rootfs.${name}`,
      ),
      ...['failedRequests', 'invalidRequests', 'throttledRequests', 'queueFullEvents', 'remainingRequests'].map(
        (name) => `disk rootfs.${name}`,
      ),
      ...['receivedBytes', 'receivedFrames', 'receiveFailures', 'receiveThrottled', 'receiveNoBuffer'].map((name) => `vnic eth0.${name}`),
      ...['transmittedBytes', 'transmittedFrames', 'transmitFailures', 'transmitThrottled'].map((name) => `vnic eth0.${name}`),
      ...['malformedFrames', 'spoofedMacFrames'].map((name) => `vnic eth0.${name}`),
    ]);
  });

  it('are taken out of a line cut anywhere by nobody', () => {
    const text = line(START, { vcpu: { exit_io_in: 7 }, block_a: { read_bytes: 512 }, seccomp: { num_faults: 0 } });
    for (let end = 0; end < text.length; end++) {
      const made = counters(text.slice(0, end));
      expect([made.hasLines, made.events, made.disks], text.slice(0, end)).toEqual([false, { 'missed-metrics': 1 }, []]);
    }
    expect(counters(text).exits).toEqual({ ioIn: 7 });
  });

  it('are taken out of the line behind one that was cut anywhere', () => {
    const whole = line(START + MINUTE, { vcpu: { exit_io_in: 3 }, properties: { text: '{"utc_timestamp_ms":5}' } });
    const before = line(START, { vcpu: { exit_io_in: 100 } });
    for (let end = 1; end < before.length; end++) {
      const made = counters(before.slice(0, end) + whole);
      expect(made.exits).toEqual({ ioIn: 3 });
      expect(made.events).toMatchObject({ 'missed-metrics': 1 });
    }
  });

  it('are not those of devices without an id, nor of more than 512', () => {
    const many = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`block_${i}`, { read_count: 1 }]));
    const made = counters(line(START, { ...many, block_: { read_count: 1 }, net_x: 5, net_y: [1] }));
    expect(made.disks).toHaveLength(512);
    expect(made.vnics).toHaveLength(0);
    made.add(line(START + MINUTE, many));
    expect(made.disks.every(({ numbers }) => numbers.reads === 2)).toBe(true);
  });

  it('are of all devices together where a version tells no others', () => {
    const made = counters(line(START, { block: { read_count: 2 }, net: { tx_count: 1, tx_bytes_count: 80 } }));
    expect(made.disks).toEqual([{ device: 'block', numbers: { reads: 2 } }]);
    expect(made.vnics).toEqual([{ device: 'net', numbers: { transmittedBytes: 80 } }]);
    expect(counters(line(START, { block: { read_count: 0 }, net: {} })).disks).toEqual([]);
  });

  it('are no numbers where the VMM means none', () => {
    const text = `{"utc_timestamp_ms":${START},"vcpu":{"exit_io_in":18446744073709551615,"exit_io_out":-1,"exit_mmio_read":1.5,"failures":"7"}}`;
    expect(counters(text).exits).toEqual({});
  });
});

describe('lines that are missing', () => {
  const missed = (...lines: (string | null)[]): number | undefined => counters(...lines).events['missed-metrics'];

  it('are seen by the time between two of them', () => {
    expect(missed(line(START), line(START + MINUTE), line(START + 2 * MINUTE + 29_000))).toBe(0);
    expect(missed(line(START), line(START + 2 * MINUTE))).toBe(1);
    expect(missed(line(START), line(START + 91_000))).toBe(1);
    expect(missed(line(START), line(START + 60 * MINUTE))).toBe(59);
  });

  it('are told by Firecracker, seen broken and seen missing, and still counted once', () => {
    const said = { logger: { missed_metrics_count: 3 } };
    expect(missed(line(START), line(START + MINUTE, said))).toBe(3);
    expect(missed(line(START), line(START + 4 * MINUTE, said))).toBe(3);
    expect(missed(line(START), '{"utc', null, line(START + 4 * MINUTE, said))).toBe(3);
    expect(missed(line(START), '{"utc', null)).toBe(2);
  });

  it('are those before the first where the VM is older than that, unless it was just configured', () => {
    expect(missed(line(START + MINUTE))).toBe(0);
    expect(missed(line(START + 2 * MINUTE))).toBe(1);
    expect(missed(line(START + 2 * MINUTE, { put_api_requests: { metrics_count: 1 } }))).toBe(0);
    expect(missed(line(START + 2 * MINUTE, { put_api_requests: { actions_count: 1 } }))).toBe(0);
    expect(missed(line(START + 2 * MINUTE, { latencies_us: { load_snapshot: 900 } }))).toBe(0);
    const unknown = new FirecrackerCounters(null);
    unknown.add(line(START + 2 * MINUTE));
    expect(unknown.events['missed-metrics']).toBe(0);
  });

  it('are none where only the clock was set', () => {
    expect(missed(line(START), line(START - 10 * MINUTE), line(START - 9 * MINUTE))).toBe(0);
  });
});

const aGroup = fc.dictionary(
  fc.constantFrom(
    'exit_io_in',
    'failures',
    'read_bytes',
    'read_count',
    'rx_bytes_count',
    'rx_fails',
    'tap_read_fails',
    'inflate_count',
    'num_faults',
  ),
  fc.oneof(fc.nat(1_000_000), fc.constantFrom(-1, 0.5, 2 ** 64, '7', null)),
);
const aLine = fc
  .record(
    {
      utc_timestamp_ms: fc.oneof(fc.nat(10_000_000), fc.constant(-1)),
      vcpu: aGroup,
      balloon: aGroup,
      block_a: aGroup,
      block: aGroup,
      net_b: aGroup,
      seccomp: aGroup,
      logger: fc.record({ missed_metrics_count: fc.nat(5) }, { requiredKeys: [] }),
    },
    { requiredKeys: [] },
  )
  .map((value) => JSON.stringify(value));
const anyLine = fc.oneof(
  { weight: 4, arbitrary: aLine },
  { weight: 1, arbitrary: fc.tuple(aLine, fc.nat(400)).map(([text, end]) => text.slice(0, end)) },
  { weight: 1, arbitrary: fc.tuple(aLine, aLine, fc.nat(400)).map(([one, other, end]) => one.slice(0, end) + other) },
  { weight: 1, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.string() },
);

describe('whatever comes', () => {
  it('no counter ever goes back, and nothing throws', () => {
    fc.assert(
      fc.property(fc.array(anyLine, { maxLength: 40 }), (lines) => {
        const made = new FirecrackerCounters(START);
        let before = numbersOf(made);
        for (const one of lines) {
          made.add(one);
          const now = numbersOf(made);
          for (const [name, number] of before) {
            // The sum over all devices gives way to the devices, once they are told.
            if (isCount(name) && !/^(disk block|vnic net)\./.test(name)) expect(now.get(name), name).toBeGreaterThanOrEqual(number);
          }
          for (const number of now.values()) expect(Number.isSafeInteger(number) && number >= 0).toBe(true);
          before = now;
        }
      }),
    );
  });

  it('every whole line counts once, whatever is lost around it', () => {
    const deltas = fc.array(fc.record({ delta: fc.nat(1000), arrives: fc.boolean(), cut: fc.nat(60) }), { maxLength: 60 });
    fc.assert(
      fc.property(deltas, (flushes) => {
        const made = new FirecrackerCounters(null);
        flushes.forEach(({ delta, arrives, cut }, at) => {
          const text = line(START + at * MINUTE, { vcpu: { exit_io_in: delta } });
          if (arrives) made.add(text);
          else if (cut > 0 && cut < text.length) made.add(text.slice(0, cut));
        });
        const sum = flushes.filter(({ arrives }) => arrives).reduce((total, { delta }) => total + delta, 0);
        expect(made.exits.ioIn).toBe(flushes.some(({ arrives }) => arrives) ? sum : undefined);
      }),
    );
  });
});
