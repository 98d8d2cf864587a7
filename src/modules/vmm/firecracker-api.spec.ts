import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  parseBalloonConfig,
  parseBalloonStatistics,
  parseInstanceInfo,
  parseMachineConfig,
  parseVmConfig,
  withHotplugged,
} from './firecracker-api.js';
import { parseMetricsPath, parseNamedFiles } from './firecracker-argv.js';
import { isAppending, isSink, parseOpenFile } from './open-file.js';

const CONFIG = readFileSync(new URL('../../../fixtures/firecracker/vm-config.json', import.meta.url), 'utf8');
const INFO = '{"id":"anonymous-instance","state":"Running","vmm_version":"1.17.0","app_name":"Firecracker"}';
const STATISTICS =
  '{"target_pages":256,"actual_pages":128,"target_mib":1,"actual_mib":0,"swap_in":5,"oom_kill":2,"free_memory":18446744073709551615}';

const PARSERS: readonly (readonly [string, (text: string) => unknown, string])[] = [
  ['instance info', parseInstanceInfo, INFO],
  ['machine configuration', parseMachineConfig, '{"vcpu_count":2,"mem_size_mib":512}'],
  ['balloon statistics', parseBalloonStatistics, STATISTICS],
  ['balloon configuration', parseBalloonConfig, '{"amount_mib":12,"deflate_on_oom":false}'],
  ['full configuration', parseVmConfig, CONFIG.trim()],
  ['memory status', (text) => withHotplugged({ bytes: 1 }, text), '{"total_size_mib":8,"plugged_size_mib":2}'],
];

describe.each(PARSERS)('%s', (_, parse, text) => {
  it('says nothing when it is cut anywhere', () => {
    expect(parse(text)).toBeDefined();
    for (let end = 0; end < text.length; end++) expect(parse(text.slice(0, end))).toBeUndefined();
  });

  it('never throws, and gives no number that is none', () => {
    const numbersIn = (value: unknown): number[] => {
      if (typeof value === 'number') return [value];
      return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersIn) : [];
    };
    const known = fc.constantFrom(
      'mem_size_mib',
      'target_pages',
      'actual_pages',
      'amount_mib',
      'drives',
      'balloon',
      'state',
      'plugged_size_mib',
    );
    const anything = fc.oneof(
      fc.json(),
      fc.dictionary(known, fc.jsonValue()).map((value) => JSON.stringify(value)),
      fc.string(),
    );
    fc.assert(
      fc.property(anything, (any) => {
        for (const number of numbersIn(parse(any))) expect(Number.isSafeInteger(number) && number >= 0).toBe(true);
      }),
    );
  });
});

describe('what is said', () => {
  it('of the state is one of three words, or another', () => {
    const states = ['Not started', 'Running', 'Paused', 'toString', 'Exploded'].map(
      (state) => parseInstanceInfo(JSON.stringify({ state }))?.state,
    );
    expect(states).toEqual([
      { word: 'not-started', state: 'created' },
      { word: 'running', state: 'running' },
      { word: 'paused', state: 'paused' },
      { word: 'other', state: 'unknown' },
      { word: 'other', state: 'unknown' },
    ]);
  });

  it('of the version fits into 64 characters without control characters', () => {
    const { version } = parseInstanceInfo(JSON.stringify({ state: 'Running', vmm_version: `1\n${'9'.repeat(100)}` })) ?? {};
    expect(version).toHaveLength(64);
    expect(version).toMatch(/^Firecracker 1\?9+$/);
  });

  it('of the guest leaves out what its driver does not know', () => {
    expect(parseBalloonStatistics(STATISTICS)).toEqual({
      balloon: { heldBytes: 524_288, targetHeldBytes: 1_048_576 },
      guest: { swapInBytes: 5, oomKills: 2 },
    });
  });

  it('of the configuration names drives with their limits in the long run', () => {
    expect(parseVmConfig(CONFIG)).toEqual({
      memory: { bytes: 512 << 20 },
      hasBalloon: true,
      hasStatistics: true,
      hasHotplug: true,
      drives: [
        { device: 'rootfs', file: '/rootfs.ext4', readOnly: true, numbers: {} },
        {
          ...{ device: 'data', file: '/data.img', readOnly: false },
          numbers: { limitBytesPerSecond: 20 << 20, limitOperationsPerSecond: 3000 },
        },
        { device: 'shared', numbers: {} },
      ],
    });
    expect(parseVmConfig('{}')).toEqual({ hasBalloon: false, hasStatistics: false, hasHotplug: false, drives: [] });
  });

  it('of a limit that was lifted is nothing', () => {
    const drives = [{ drive_id: 'a', rate_limiter: { bandwidth: { size: 0, refill_time: 0 }, ops: { size: 5, refill_time: 0 } } }];
    expect(parseVmConfig(JSON.stringify({ drives }))?.drives).toEqual([{ device: 'a', numbers: {} }]);
  });
});

describe('files that a command line names', () => {
  const argv = (...words: string[]): string => words.map((word) => `${word}\0`).join('');

  it('are those of the two options, up to the jailer’s dashes', () => {
    expect(parseNamedFiles(argv('/fc', '--id', 'x', '--metrics-path', 'metrics.fifo', '--config-file', '/vm.json'))).toEqual({
      metrics: 'metrics.fifo',
      configuration: '/vm.json',
    });
    expect(parseNamedFiles(argv('/fc', '--', '--metrics-path', 'x'))).toEqual({});
    for (const text of ['', argv('/fc'), argv('/fc', '--metrics-path')]) expect(parseNamedFiles(text)).toEqual({});
  });

  it('include the one of a configuration file', () => {
    expect(parseMetricsPath('{"metrics":{"metrics_path":"/m.json","emit_id":true}}')).toBe('/m.json');
    for (const text of ['', '{}', '{"metrics":null}', '{"metrics":{"metrics_path":7}}', '[]'])
      expect(parseMetricsPath(text)).toBeUndefined();
  });
});

describe('what a descriptor is open for', () => {
  it('is told by its flags, whatever their order', () => {
    const metrics = parseOpenFile('pos:\t18023\nflags:\t02104002\nmnt_id:\t30\nino:\t77\n');
    expect(metrics).toEqual({ position: 18_023, flags: 0o2104002 });
    expect(metrics && [isSink(metrics), isAppending(metrics)]).toEqual([true, false]);
    const flagsOf = (flags: string): boolean | null => {
      const open = parseOpenFile(`pos:\t0\nflags:\t${flags}\n`);
      return open && isSink(open);
    };
    // A drive, a terminal read without waiting, an eventfd.
    expect(['0100002', '04000', '04001'].map(flagsOf)).toEqual([false, false, false]);
    expect(parseOpenFile('pos:\t0\nflags:\t0106002\n')).toSatisfy((open) => isAppending(open));
  });

  it('is nothing where the text is cut', () => {
    const text = 'pos:\t18023\nflags:\t02104002\n';
    for (let end = 0; end < text.indexOf('flags:\t') + 7; end++) expect(parseOpenFile(text.slice(0, end))).toBeNull();
  });
});
