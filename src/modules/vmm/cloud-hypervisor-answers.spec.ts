import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BALLOON_STATS, COUNTERS, INFO, NO_AVERAGE_YET, NOTHING_YET, PING } from '../../../test/fake-cloud-hypervisor.js';
import { disksOf, parseBalloonStatistics, parseCounters, vnicsOf } from './cloud-hypervisor-counters.js';
import { parseInfo, parsePing } from './cloud-hypervisor-info.js';

const configWith = (change: object): string => {
  const info = JSON.parse(INFO);
  return JSON.stringify({ ...info, config: { ...info.config, ...change } });
};
const memoryWith = (change: object): string => configWith({ memory: { ...JSON.parse(INFO).config.memory, ...change } });
const disksWith = (...disks: readonly unknown[]) => parseInfo(configWith({ disks }))?.disks;

const PARSERS = [
  ['vm.info', INFO, parseInfo],
  ['vmm.ping', PING, parsePing],
  ['vm.counters', COUNTERS, parseCounters],
  ['vm.balloon-stats', BALLOON_STATS, (text: string) => parseBalloonStatistics(text, 1)],
] as const;

/** Every number anywhere in what was parsed. */
const numbersIn = (value: unknown): number[] => {
  if (typeof value === 'number') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersIn) : [];
};

describe.each(PARSERS)('%s', (_, text, parse) => {
  it('that is cut anywhere is no answer', () => {
    for (let end = 0; end < text.length; end++) expect(parse(text.slice(0, end))).toBeUndefined();
    expect(parse(text)).toBeDefined();
  });

  it.each(['', 'null', '1', '"x"', '[]', '[[1]]', 'true', '{', '\0', '{"a":1}{"b":2}'])('that is %j is none', (other) => {
    expect(parse(other)).toBeUndefined();
  });

  it('of any shape throws nothing and gives counts that are counts', () => {
    const word = fc.constantFrom(
      ...[
        'config',
        'state',
        'memory',
        'size',
        'zones',
        'disks',
        'id',
        'rate_limiter_config',
        'bandwidth',
        'refill_time',
        'balloon',
        'stats',
      ],
      ...['memory_actual_size', 'hotplugged_size', 'hotplug_size', 'read_bytes', 'rx_bytes', 'read_latency_min', 'version', '__proto__'],
    );
    const tree = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 5 },
        fc.oneof(fc.double(), fc.integer(), fc.constantFrom(2 ** 64, 2 ** 63, -1, null, 'Running', true)),
        fc.array(tie('any'), { maxLength: 4 }),
        fc.dictionary(word, tie('any'), { maxKeys: 6 }),
      ),
    })).any;
    fc.assert(
      fc.property(fc.dictionary(word, tree, { maxKeys: 8 }), (value) => {
        const parsed = parse(JSON.stringify(value));
        const told = parsed instanceof Map ? [disksOf([], parsed), vnicsOf(parsed)] : parsed;
        for (const number of numbersIn(told)) expect(Number.isSafeInteger(number) && number >= 0).toBe(true);
      }),
    );
  });
});

describe('memory of a VM of Cloud Hypervisor', () => {
  it.each([
    ['is what it booted with', {}, { bytes: 1 << 30, hotpluggedBytes: 0 }],
    ['has room to grow', { hotplug_size: 1 << 29 }, { bytes: 1 << 30, hotpluggedBytes: 0, maxBytes: 1.5 * 2 ** 30 }],
    [
      'has grown',
      { hotplug_size: 1 << 29, hotplugged_size: 1 << 28 },
      { bytes: 1.25 * 2 ** 30, hotpluggedBytes: 1 << 28, maxBytes: 1.5 * 2 ** 30 },
    ],
    [
      'is in zones',
      {
        size: 0,
        zones: [
          { id: 'a', size: 7, hotplugged_size: 2 },
          { id: 'b', size: 9 },
        ],
      },
      { bytes: 18, hotpluggedBytes: 2 },
    ],
    ['is unknown where one number is none', { size: 'all' }, { hotpluggedBytes: 0 }],
    ['is unknown where a zone is none', { zones: [{ id: 'a', size: 2 ** 64 }] }, { hotpluggedBytes: 0 }],
  ])('%s', (_, change, memory) => {
    expect(parseInfo(memoryWith(change))?.memory).toEqual(memory);
  });

  it('is unknown without a configuration', () => {
    expect(parseInfo('{"state":"Running"}')).toEqual({
      state: { word: 'running', state: 'running' },
      memory: {},
      disks: [],
      hasPanicDevice: false,
    });
  });
});

describe('the balloon of Cloud Hypervisor', () => {
  it('holds what is missing, where nothing was plugged that the guest might not have taken', () => {
    const target = { targetHeldBytes: 128 << 20, actualBytes: (1 << 30) - (96 << 20) };
    expect(parseInfo(INFO)?.balloon).toEqual({ ...target, heldBytes: 96 << 20 });
    expect(parseInfo(memoryWith({ hotplugged_size: 1 << 28 }))?.balloon).toEqual(target);
    expect(parseInfo(memoryWith({ size: 5 }))?.balloon).toEqual(target);
    expect(parseInfo(configWith({ balloon: null }))?.balloon).toBeUndefined();
  });

  it('says what the guest’s driver knows, and nothing of what it does not', () => {
    expect(parseBalloonStatistics('{"balloon_actual":4096,"stats":{"free_memory":1024}}', 77)).toEqual({
      heldBytes: 4096,
      guest: { sampledMs: 77, freeBytes: 1024 },
    });
    const all = BALLOON_STATS.replaceAll(/:\d+/g, `:${NOTHING_YET}`);
    expect(parseBalloonStatistics(all, 77)).toEqual({ guest: { sampledMs: 77 } });
  });
});

describe('disks of Cloud Hypervisor', () => {
  it('have limits per second out of a bucket and the time that fills it', () => {
    const limit = (bandwidth: unknown, ops: unknown = null) => disksWith({ id: 'd', rate_limiter_config: { bandwidth, ops } });
    expect(limit({ size: 1000, refill_time: 3 })).toEqual([{ device: 'd', bytesPerSecond: 333_333 }]);
    expect(limit(null, { size: 5, refill_time: 1000 })).toEqual([{ device: 'd', operationsPerSecond: 5 }]);
    for (const none of [{ size: 0, refill_time: 0 }, { size: 5, refill_time: 0 }, { size: 0, refill_time: 5 }, { size: 5 }, {}, 7])
      expect(limit(none)).toEqual([{ device: 'd' }]);
  });

  it('have no limit of their own in a group', () => {
    expect(disksWith({ id: 'd', rate_limit_group: 'g', rate_limiter_config: null })).toEqual([{ device: 'd' }]);
  });

  it('have a format only where it is known, and need an id', () => {
    expect(disksWith({ id: 'd', image_type: 'Unknown' }, { id: 'e', image_type: 'FixedVhd' }, { path: '/x' }, 'no disk')).toEqual([
      { device: 'd' },
      { device: 'e', format: 'vhd' },
    ]);
  });

  it('are no more than 512, in words that are no longer than they may be', () => {
    const many = disksWith(...Array.from({ length: 600 }, (_, i) => ({ id: `d${i}`, path: `/\n${'p'.repeat(5000)}` })));
    expect(many).toHaveLength(512);
    expect(many?.[0].file).toBe(`/?${'p'.repeat(4094)}`);
  });

  it('that are counted and not configured are disks as well', () => {
    const counters = parseCounters('{"a":{"read_ops":1},"b":{"rx_bytes":1},"c":{"something":1},"d":7}') ?? null;
    expect(disksOf([{ device: 'x' }], counters)).toEqual([
      { device: 'x', numbers: {} },
      { device: 'a', numbers: { reads: 1 } },
    ]);
    expect(vnicsOf(counters ?? new Map())).toEqual([{ device: 'b', numbers: { receivedBytes: 1 } }]);
    expect(disksOf([{ device: 'x', bytesPerSecond: 3 }], null)).toEqual([{ device: 'x', numbers: { limitBytesPerSecond: 3 } }]);
  });

  it('say nothing of latency before their first request', () => {
    const of = (value: string | number): unknown =>
      disksOf([], parseCounters(`{"d":{"read_ops":0,"read_latency_min":${value},"read_latency_avg":${value}}}`) ?? null)[0].numbers;
    expect(of(NOTHING_YET)).toEqual({ reads: 0 });
    expect(of(NO_AVERAGE_YET)).toEqual({ reads: 0 });
    expect(of('9223372036854775808')).toEqual({ reads: 0 });
    expect(of(12)).toMatchObject({ lifetimeReadLatencyMinMicroseconds: 12, lifetimeReadLatencyAverageMicroseconds: 12 });
    // As a count of bytes the same number is one.
    expect(disksOf([], parseCounters(`{"d":{"read_bytes":${NO_AVERAGE_YET}}}`) ?? null)[0].numbers).toEqual({ readBytes: NO_AVERAGE_YET });
  });
});

describe('the version of Cloud Hypervisor', () => {
  it('is cut and cleaned', () => {
    expect(parsePing('{"version":"54.0.0"}')).toBe('Cloud Hypervisor 54.0.0');
    expect(parsePing('{"build_version":"v40"}')).toBe('Cloud Hypervisor v40');
    expect(parsePing(JSON.stringify({ version: `\u001b[31m${'9'.repeat(100)}` }))).toHaveLength(57);
    expect(parsePing('{"version":""}')).toBeUndefined();
  });
});
