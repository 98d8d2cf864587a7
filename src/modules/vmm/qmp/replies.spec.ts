import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recordedReturn, recordedText } from '../../../../test/fake-qmp.js';
import { VMM_STATES } from '../answer.js';
import { parseBlock, parseBlockStatistics } from './blocks.js';
import { QEMU, STRATOVIRT } from './dialect.js';
import { EventCounts } from './events.js';
import { balloonPath, parseGuestStats } from './guest-stats.js';
import { KvmSums, namesOf, parseSchemas, type Target } from './kvm-stats.js';
import { parseBalloon, parseCpus, parseMemorySize, parseStatus } from './machine-state.js';
import { parseMigration } from './migration.js';

const SENTINEL = JSON.parse('18446744073709551615');

/** Every parser of a reply by itself, with the reply it is for. */
const PARSERS: readonly (readonly [string, (value: unknown) => unknown, unknown])[] = [
  ['query-status', parseStatus, recordedReturn('query-status')],
  ['query-cpus-fast', (value) => parseCpus(value, QEMU), recordedReturn('query-cpus-fast')],
  ['query-memory-size-summary', parseMemorySize, recordedReturn('query-memory-size-summary')],
  ['query-balloon', parseBalloon, recordedReturn('query-balloon')],
  ['guest-stats', parseGuestStats, recordedReturn('qom-guest-stats')],
  ['qom-list', (value) => balloonPath('/machine/peripheral', value), recordedReturn('qom-list-peripheral')],
  ['query-block', parseBlock, recordedReturn('query-block')],
  ['query-blockstats', (value) => parseBlockStatistics(value, new Map()), recordedReturn('query-blockstats')],
  ['query-stats-schemas', parseSchemas, recordedReturn('query-stats-schemas-kvm')],
  ['query-stats', (value) => sums('vcpu', value), recordedReturn('query-stats-vcpu-kvm')],
  ['query-migrate', parseMigration, recordedReturn('query-migrate-active')],
];

function sums(target: Target, value: unknown): KvmSums {
  const schema = parseSchemas(recordedReturn('query-stats-schemas-kvm')) ?? expect.fail('no schema');
  const made = new KvmSums(schema);
  made.add(target, value);
  return made;
}

/** Every number that a parser let through. */
const numbersOf = (value: unknown): number[] => {
  if (typeof value === 'number') return [value];
  if (value instanceof Map) return [...value.values()].flatMap(numbersOf);
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersOf) : [];
};

describe('state', () => {
  it.each([
    ['query-status', 'running', 'running'],
    ['query-status-kvm', 'internal-error', 'degraded'],
  ])('of %s is %s', (name, word, state) => {
    expect(parseStatus(recordedReturn(name))).toEqual({ word, state });
  });

  it('is degraded for the four words that say that the VM does not work, and known for every word of the house', () => {
    const degraded = VMM_STATES.filter((status) => parseStatus({ status })?.state === 'degraded');
    expect(degraded).toEqual(['internal-error', 'io-error', 'guest-panicked', 'watchdog']);
    for (const word of VMM_STATES) expect(parseStatus({ status: word })?.word).toBe(word);
  });

  it('is `other` for a word of a newer VMM, and unknown', () => {
    expect(parseStatus({ status: 'time-travelling' })).toEqual({ word: 'other', state: 'unknown' });
    expect(parseStatus({ running: true })).toBeUndefined();
  });
});

describe('vCPUs, memory, balloon', () => {
  it('are what QEMU said', () => {
    expect(parseCpus(recordedReturn('query-cpus-fast'), QEMU)).toEqual([
      { index: 0, threadId: 20183 },
      { index: 1, threadId: 20184 },
    ]);
    expect(parseMemorySize(recordedReturn('query-memory-size-summary'))).toEqual({ bytes: 134_217_728, hotpluggedBytes: 0 });
    expect(parseMemorySize({ 'base-memory': 100, 'plugged-memory': 20 })).toEqual({ bytes: 120, hotpluggedBytes: 20 });
    expect(parseMemorySize({ 'base-memory': 100 })).toEqual({ bytes: 100 });
    expect(parseBalloon(recordedReturn('query-balloon-after'))).toEqual({ actualBytes: 83_886_080 });
  });

  it('have other words in StratoVirt', () => {
    expect(parseCpus([{ CPU: 0, thread_id: 77 }], STRATOVIRT)).toEqual([{ index: 0, threadId: 77 }]);
    expect(parseCpus([{ CPU: 0, thread_id: 77 }], QEMU)).toEqual([]);
    expect(parseCpus([{ CPU: 0, thread_id: 0 }], STRATOVIRT)).toEqual([]);
  });
});

describe('guest memory', () => {
  it('is bytes, counts, and when the guest said it', () => {
    expect(parseGuestStats(recordedReturn('qom-guest-stats'))).toEqual({
      sampledMs: 1_795_244_476_000,
      totalBytes: 96_817_152,
      freeBytes: 67_461_120,
      availableBytes: 73_424_896,
      diskCachesBytes: 2_572_288,
      swapInBytes: 0,
      swapOutBytes: 0,
      majorFaults: 0,
      minorFaults: 1570,
      hugetlbAllocations: 0,
      hugetlbFailures: 0,
    });
  });

  it('is nothing as long as the guest said nothing', () => {
    const prelaunch = recordedText('raw-session-prelaunch.txt').split('\r\n');
    expect(prelaunch).toHaveLength(12);
    expect(parseGuestStats(JSON.parse(prelaunch[3]).return)).toBeNull();
    expect(parseGuestStats({ stats: { 'stat-free-memory': 5 }, 'last-update': 0 })).toBeNull();
  });

  it('leaves out what this guest does not tell: 2^64-1, and what is no count', () => {
    const stats = {
      'stat-total-memory': SENTINEL,
      'stat-free-memory': 2 ** 63,
      'stat-available-memory': -1,
      'stat-disk-caches': 1.5,
      'stat-swap-in': 9,
    };
    expect(parseGuestStats({ stats, 'last-update': 7 })).toEqual({ sampledMs: 7000, swapInBytes: 9 });
  });

  it.each(['pci', 'ccw', 'device', 'pci-non-transitional'])('is asked of a virtio-balloon-%s', (kind) => {
    const devices = [
      { name: 'type', type: 'string' },
      { name: 'b1', type: `child<virtio-balloon-${kind}>` },
    ];
    expect(balloonPath('/machine/peripheral-anon', devices)).toBe('/machine/peripheral-anon/b1');
    expect(balloonPath('/machine/peripheral', [{ name: '../x', type: `child<virtio-balloon-${kind}>` }])).toBeUndefined();
  });
});

describe('disks', () => {
  it('are the guest’s devices with what QEMU counted, their size and their medium', () => {
    const media = parseBlock(recordedReturn('query-block')) ?? expect.fail('no media');
    const [disk, ...others] = parseBlockStatistics(recordedReturn('query-blockstats'), media) ?? [];
    expect(others).toEqual([]);
    expect(disk).toMatchObject({ device: 'virtio-disk0', file: 'disk.raw', format: 'raw', readOnly: false });
    expect(disk.numbers).toEqual({
      ...{ readBytes: 4_329_984, writtenBytes: 2_097_152, discardedBytes: 0, reads: 35, writes: 3, flushes: 1, discards: 0 },
      ...{ readNanoseconds: 2_866_387, writeNanoseconds: 3_116_281, flushNanoseconds: 224_024, mergedReads: 2, mergedWrites: 0 },
      ...{ failedReads: 0, failedWrites: 0, failedFlushes: 0, invalidReads: 0, invalidWrites: 0, invalidFlushes: 0 },
      ...{ capacityBytes: 67_108_864, allocatedBytes: 2_097_152, highestOffsetBytes: 2_097_152 },
    });
  });

  it('have limits only where there are some', () => {
    const inserted = { bps: 0, bps_rd: 1000, iops: 5, image: {} };
    const media = parseBlock([{ qdev: 'd', device: '', inserted }]) ?? expect.fail('no media');
    const disks = parseBlockStatistics([{ qdev: 'd', device: '', stats: {} }], media);
    expect(disks).toEqual([{ device: 'd', numbers: { limitReadBytesPerSecond: 1000, limitOperationsPerSecond: 5 } }]);
  });

  it.each([
    ['/machine/peripheral/data/virtio-backend', 'drive0', 'node0', 'data'],
    ['/machine/peripheral/scsi0-0', 'drive0', 'node0', 'scsi0-0'],
    ['/machine/peripheral-anon/device[1]/virtio-backend', 'virtio0', '#block134', 'virtio0'],
    ['/machine/peripheral-anon/device[1]/virtio-backend', '', 'root', 'root'],
    ['/machine/unattached/device[20]', '', '#block134', '/machine/unattached/device[20]'],
    [undefined, '', '#block134', '#block134'],
  ])('with qdev %s, drive %s and node %s are called %s', (qdev, drive, node, device) => {
    expect(parseBlockStatistics([{ qdev, 'node-name': node, device: drive, stats: {} }], new Map())).toEqual([{ device, numbers: {} }]);
  });

  it('are counted on after 104 days of reading at once, which are more nanoseconds than a number holds exactly', () => {
    const text = '[{"qdev":"d","device":"","stats":{"rd_total_time_ns":9007199254740993,"wr_total_time_ns":18446744073709551615}}]';
    expect(parseBlockStatistics(JSON.parse(text), new Map())).toEqual([{ device: 'd', numbers: { readNanoseconds: 2 ** 53 } }]);
  });

  it('have names of their own, as far as there are any', () => {
    const one = { qdev: 'd', 'node-name': 'n', device: '', stats: {} };
    expect(parseBlockStatistics([one, one, one], new Map())?.map(({ device }) => device)).toEqual(['n', 'd']);
  });

  it.each([
    ['json:{"driver":"https","password-secret":"s"}', undefined],
    ['rbd:pool/image:id=admin:key=SECRET', undefined],
    ['https://me:SECRET@example.org/disk', undefined],
    ['/var/lib/disk:1.raw', '/var/lib/disk:1.raw'],
    ['', undefined],
    ['a\u0000b', 'a?b'],
  ])('of %j show no secret', (file, shown) => {
    const media = parseBlock([{ qdev: 'd', device: '', inserted: { file } }]) ?? expect.fail('no media');
    expect([...media.values()][0].file).toBe(shown);
  });
});

describe('statistics of KVM', () => {
  const schema = parseSchemas(recordedReturn('query-stats-schemas-kvm')) ?? expect.fail('no schema');

  it('are asked for without booleans, peaks and histograms', () => {
    const names = [...namesOf(schema, 'vcpu'), ...namesOf(schema, 'vm')];
    expect(names).toEqual(expect.arrayContaining(['exits', 'io_exits', 'halt_wait_ns', 'pages_4k']));
    expect(names.filter((name) => /_hist$|^guest_mode$|^blocking$|^max_/.test(name))).toEqual([]);
  });

  it('are summed over the vCPUs, each as what the schema says it is', () => {
    const reply = recordedReturn('query-stats-vcpu-kvm') as { stats: { name: string; value: number }[] }[];
    const sum = (wanted: string): number =>
      reply.flatMap(({ stats }) => stats.filter(({ name }) => name === wanted)).reduce((total, { value }) => total + value, 0);
    const { counters, durations, gauges } = sums('vcpu', reply).statistics;
    expect(reply).toHaveLength(2);
    for (const name of ['exits', 'insn_emulation', 'io_exits']) expect(counters.get(name), name).toBe(sum(name));
    expect(durations.get('halt_wait_ns')).toBe(sum('halt_wait_ns'));
    expect(gauges.size).toBe(0);
    expect(counters.get('insn_emulation')).toBeGreaterThan(1_000_000);
  });

  it('that are too many to count are none', () => {
    const huge = [1, 2].map(() => ({ provider: 'kvm', stats: [{ name: 'exits', value: 2 ** 62 }] }));
    expect(sums('vcpu', huge).statistics.counters.size).toBe(0);
    expect(sums('vcpu', huge.slice(1)).statistics.counters.get('exits')).toBe(2 ** 62);
  });

  it('of the VM have present values', () => {
    const { counters, gauges } = sums('vm', recordedReturn('query-stats-vm-kvm')).statistics;
    expect(Object.fromEntries(gauges)).toMatchObject({ pages_4k: 0, nx_lpage_splits: 0 });
    expect(counters.get('mmu_pte_write')).toBe(32_828_088);
    expect([...counters.keys(), ...gauges.keys()].some((name) => name.startsWith('max_'))).toBe(false);
  });

  it('have units, a base and an exponent', () => {
    const stat = (name: string, given: object): object => ({ name, type: 'cumulative', exponent: 0, ...given });
    const made = parseSchemas([
      {
        provider: 'kvm',
        target: 'vm',
        stats: [
          stat('whole_seconds', { unit: 'seconds' }),
          stat('nanos', { unit: 'seconds', base: 10, exponent: -9 }),
          stat('micros', { unit: 'seconds', base: 10, exponent: -6 }),
          stat('kibi', { unit: 'bytes', base: 2, exponent: 10, type: 'instant' }),
          stat('odd_base', { unit: 'bytes', base: 3, exponent: 10 }),
          stat('Bad Name', {}),
        ],
      },
      { provider: 'other', target: 'vm', stats: [stat('foreign', {})] },
    ]);
    const values = new KvmSums(made ?? expect.fail('no schema'));
    const stats = ['whole_seconds', 'nanos', 'micros', 'kibi', 'odd_base', 'Bad Name', 'foreign'].map((name) => ({ name, value: 3 }));
    expect(values.add('vm', [{ provider: 'kvm', stats }])).toBe(true);
    const { counters, durations, gauges } = values.statistics;
    expect(Object.fromEntries(durations)).toEqual({ whole_seconds: 3e9, nanos: 3, micros: 3000 });
    expect([Object.fromEntries(gauges), counters.size]).toEqual([{ kibi: 3072 }, 0]);
  });

  it('are none under TCG', () => {
    const none = parseSchemas(recordedReturn('query-stats-schemas')) ?? expect.fail('no schema');
    expect([...namesOf(none, 'vm'), ...namesOf(none, 'vcpu')]).toEqual([]);
  });
});

describe('migration', () => {
  it.each([
    ['query-migrate', { state: 'none' }],
    ['query-migrate-cancelled', { state: 'cancelled' }],
    [
      'query-migrate-active',
      {
        ...{ state: 'active', totalBytes: 134_750_208, transferredBytes: 5_887_350, remainingBytes: 127_897_600, dirtyBytesPerSecond: 0 },
        ...{ iterations: 1, elapsedMilliseconds: 702, expectedDowntimeMilliseconds: 300 },
      },
    ],
  ])('of %s', (name, expected) => {
    expect(parseMigration(recordedReturn(name))).toMatchObject(expected);
  });

  it('counts dirty pages and megabits in bytes', () => {
    const ram = { 'dirty-pages-rate': 10, 'page-size': 4096, mbps: 66.5 };
    expect(parseMigration({ status: 'active', ram })).toEqual({
      state: 'active',
      dirtyBytesPerSecond: 40_960,
      sentBytesPerSecond: 8_312_500,
    });
    expect(parseMigration({ status: 'active', ram: { 'dirty-pages-rate': 10 } })).toEqual({ state: 'active' });
  });

  it('that completed knows its downtime', () => {
    const completed = parseMigration(recordedReturn('query-migrate-completed'));
    expect(completed?.state).toBe('completed');
    expect(completed?.downtimeMilliseconds).toBeGreaterThanOrEqual(0);
  });

  it.each([
    ['Completed', 'completed'],
    ['canceled', 'cancelled'],
    ['teleporting', 'other'],
  ])('in the state %s is %s', (status, state) => {
    expect(parseMigration({ status })).toEqual({ state });
  });
});

describe('events', () => {
  it('are counted by kind, from 0', () => {
    const counts = new EventCounts(QEMU.events);
    expect(new Set(Object.values(counts.told))).toEqual(new Set([0]));
    for (const text of recordedText('events.jsonl').trim().split('\n')) counts.hear(JSON.parse(text).event);
    expect(counts.told).toMatchObject({
      'balloon-change': 2,
      stop: 2,
      resume: 2,
      reset: 2,
      powerdown: 1,
      shutdown: 1,
      'guest-panicked': 0,
    });
    // It depends on a switch of the VM's owner whether they come.
    expect(counts.told).not.toHaveProperty('migration');
  });

  it('of names that nobody knows are none', () => {
    const counts = new EventCounts(STRATOVIRT.events);
    for (const name of ['constructor', '__proto__', 'toString', 'NIC_RX_FILTER_CHANGED', '']) counts.hear(name);
    expect(counts.told).toEqual({ shutdown: 0, reset: 0, stop: 0, resume: 0, 'device-deleted': 0 });
  });
});

describe.each(PARSERS)('a reply to %s', (_, parse, recorded) => {
  it('gives numbers that are numbers, whatever stands in it', () => {
    const values = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(SENTINEL, 2 ** 63, -1, 1.5, 1e308, null, {}, [], { toString: false }, { valueOf: 1, toString: 1 }),
    );
    fc.assert(
      fc.property(values, fc.nat(), (value, place) => {
        for (const given of [value, replaced(recorded, place, value)]) {
          for (const number of numbersOf(parse(given))) expect(number >= 0 && number < 2 ** 63 && Number.isFinite(number)).toBe(true);
        }
      }),
    );
  });
});

/** The value with one of its members, at any depth, replaced by another. */
function replaced(value: unknown, place: number, by: unknown): unknown {
  const leaves: { at: Record<string, unknown>; key: string }[] = [];
  const copy = JSON.parse(JSON.stringify({ value }));
  const walk = (at: unknown): void => {
    if (typeof at !== 'object' || at === null) return;
    for (const [key, member] of Object.entries(at)) {
      // Objects and arrays of parsed JSON.
      leaves.push({ at: at as Record<string, unknown>, key });
      walk(member);
    }
  };
  walk(copy);
  const { at, key } = leaves[place % leaves.length];
  at[key] = by;
  return copy.value;
}
