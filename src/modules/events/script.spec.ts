import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LACKS, recordedCatalog } from '../../../test/kernel-catalog.js';
import { TRACING_BLOCKS, type TracingBlock } from '../../model/settings.js';
import { composeScript } from './script.js';
import { type BlockReason, BOUNDS_NANOSECONDS, HISTOGRAM_MAPS } from './words.js';

const ON = Object.fromEntries(TRACING_BLOCKS.map((block) => [block, null]));
const compose = (catalog = recordedCatalog(), wanted: readonly TracingBlock[] = TRACING_BLOCKS) =>
  composeScript({ wanted, catalog, intervalMs: 5000, ringer: 4711 });

const NO_SOCKET_CALLS = { bytes: 'missing_tracepoint', dns: 'missing_tracepoint' } as const;

describe('composeScript', () => {
  it.each<[keyof typeof LACKS, Partial<Record<TracingBlock, BlockReason>>]>([
    ['6.18', {}],
    ['6.8', {}],
    ['6.1', NO_SOCKET_CALLS],
    ['5.15', { ...NO_SOCKET_CALLS, uring: 'missing_tracepoint' }],
  ])('has the blocks that Linux %s has everything for', (kernel, off) => {
    expect(compose(recordedCatalog(LACKS[kernel])).blocks).toEqual({ ...ON, ...off });
  });

  it('knows that structures cannot be read without BTF', () => {
    const off = ['dns', 'uring', 'guest-dns', 'plain-files'].map((block) => [block, 'no_btf']);
    const { blocks, text } = compose(recordedCatalog({}, 'no btf'));
    expect(blocks).toEqual({ ...ON, ...Object.fromEntries(off) });
    expect(text).not.toContain('struct ');
  });

  it('reads no field and no place that the kernel does not have', () => {
    for (const lacks of Object.values(LACKS)) {
      const catalog = recordedCatalog(lacks);
      const { text } = compose(catalog);
      for (const probe of text.split('\n}\n')) {
        const places = [...probe.matchAll(/^tracepoint:(\w+):(\w+)/gm)].map(([, group, name]) => `${group}/${name}`);
        const fields = [...probe.matchAll(/args->(\w+)/g)].map(([, field]) => field);
        for (const place of places) expect([...(catalog.format(place)?.fields ?? [])]).toEqual(expect.arrayContaining(fields));
      }
    }
  });

  it('tells round-trip times only where the socket is told', () => {
    expect(compose(recordedCatalog(LACKS['6.18'])).text).toContain('print(@rtt_sum)');
    expect(compose(recordedCatalog(LACKS['6.8'])).text).not.toContain('@rtt');
  });

  it('says at each tick what a block that is on cannot tell on this kernel', () => {
    const ticks = (lacks: Parameters<typeof recordedCatalog>[0]): string | undefined =>
      /printf\("tick %llu(.*?)\\n"/.exec(compose(recordedCatalog(lacks)).text)?.[1];
    expect(ticks({})).toBe('');
    expect(ticks(LACKS['6.8'])).toBe(' -rtt');
    expect(ticks({ ...LACKS['6.8'], 'tcp/tcp_retransmit_skb': 'all' })).toBe(' -rtt -retransmits');
  });

  it('knows the end of a process by what the kernel says of it', () => {
    expect(compose(recordedCatalog(LACKS['6.18'])).text).toContain('if (args->group_dead)');
    expect(compose(recordedCatalog(LACKS['6.1'])).text).toContain('signal->live.counter == 0');
    expect(compose(recordedCatalog(LACKS['6.1'], 'no btf')).text).toContain('if (pid == tid)');
  });

  it('is off altogether where nobody can be enrolled, and says which blocks nobody wants', () => {
    const { text, blocks } = compose(recordedCatalog({ 'syscalls/sys_enter_kill': 'all' }), ['cpu', 'files']);
    expect(text).toBe('');
    const others = TRACING_BLOCKS.filter((block) => block !== 'cpu' && block !== 'files').map((block) => [block, 'not_wanted']);
    expect(blocks).toEqual({ ...Object.fromEntries(others), cpu: 'missing_tracepoint', files: 'missing_tracepoint' });
    expect(compose(recordedCatalog(), []).text).toBe('');
  });

  it('tells every map of the reader, of its own only who is enrolled, and ends with a tick', () => {
    const { text } = compose();
    const told = [...text.matchAll(/print\(@(\w+)\)/g)].map(([, map]) => map);
    const histograms = HISTOGRAM_MAPS.flatMap((map) => [map, `${map}_sum`, `${map}_last`]);
    expect(told.sort()).toEqual([...histograms, 'vm', 'dev', 'net', 'fs_bytes', 'connect_errors', 'retransmits'].sort());
    expect(text.trimEnd().endsWith('printf("tick %llu\\n", nsecs);\n}')).toBe(true);
    expect(text).toContain('interval:ms:5000');
    expect(text).toContain('pid == 4711 &&');
  });

  it('asks for each tracepoint of the scheduler and of sockets once, whoever wants it', () => {
    for (const name of ['sched_switch', 'sock_send_length', 'sock_recv_length']) expect(compose().text.split(`:${name}`)).toHaveLength(2);
  });

  it('looks for whoever is enrolled before it reads a clock: the whole host pays for what comes first', () => {
    const timed = compose()
      .text.split('\n}\n')
      .filter((probe) => probe.includes('nsecs') && !probe.includes('interval:'));
    expect(timed.length).toBeGreaterThan(5);
    for (const probe of timed) expect(probe.slice(0, probe.indexOf('nsecs'))).toContain('@');
  });

  it('prints no map that no probe fills', () => {
    for (const block of TRACING_BLOCKS) {
      const { text } = compose(recordedCatalog(), [block]);
      for (const [, map] of text.matchAll(/(?:print|clear)\(@(\w+)\)/g)) expect(text).toMatch(new RegExp(`@${map}(?:\\[[^\\]]*\\])? = `));
    }
  });
});

/** Where `hist()` counts an integer: 0 for 0, otherwise the number of its bits. */
const histogramPlace = (value: number): number => (value === 0 ? 0 : Math.floor(Math.log2(value)) + 1);

describe('hist((ns - 1) / 3125)', () => {
  const boundOf = (ns: number): number => {
    const place = histogramPlace(Math.floor((ns - 1) / 3125));
    return Math.min(Math.max(place - 5, 0), BOUNDS_NANOSECONDS.length);
  };
  const plainly = (ns: number): number => {
    const index = BOUNDS_NANOSECONDS.findIndex((bound) => ns <= bound);
    return index < 0 ? BOUNDS_NANOSECONDS.length : index;
  };

  it('counts every time at the bound where a plain histogram does', () => {
    const edges = Array.from({ length: 40 }, (_, n) => 3125 * 2 ** n).flatMap((ns) => [ns - 1, ns, ns + 1]);
    expect([1, 2, ...edges].filter((ns) => boundOf(ns) !== plainly(ns))).toEqual([]);
    const magnitudes = fc.integer({ min: 0, max: 45 }).chain((bits) => fc.integer({ min: 1, max: 2 ** bits }));
    fc.assert(
      fc.property(magnitudes, (ns) => boundOf(ns) === plainly(ns)),
      { numRuns: 20_000 },
    );
  });
});
