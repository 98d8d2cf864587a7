import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, kernelSample, truncations } from '../../../test/kernel-samples.js';
import { AMOUNT, AMOUNT_OR_NONE, CPU_MAX_PAIR, NANOSECONDS, type Numbers, numbersNamed } from './limit-texts.js';
import type { Parse } from './parsed-file.js';

const { NaN: none, POSITIVE_INFINITY: unlimited } = Number;
const EVENTS = numbersNamed('low', 'high', 'max', 'oom', 'oom_kill', 'oom_group_kill');

const parse = (parser: Parse<Numbers>, text: string): Numbers | null => parser(text);
const v1 = (name: string): string => kernelSample(`cgroup-v1-6.18/limited/${name}`);
const v2 = (name: string): string => kernelSample(`cgroup-v2-6.1/scope/${name}`);

describe('the texts of limits', () => {
  it('of recorded cgroups are read', () => {
    expect(parse(AMOUNT_OR_NONE, v2('memory.max'))).toEqual([33_554_432]);
    expect(parse(AMOUNT, v2('memory.current'))).toEqual([21_200_896]);
    expect(parse(CPU_MAX_PAIR, v2('cpu.max'))).toEqual([20_000, 100_000]);
    expect(parse(EVENTS, v2('memory.events'))).toEqual([0, 0, 0, 0, 0, 0]);
    expect(parse(numbersNamed('usage_usec'), v2('cpu.stat'))).toEqual([1_428_102]);
    expect(parse(numbersNamed('inactive_file'), v2('memory.stat'))).toEqual([0]);
    expect(parse(AMOUNT_OR_NONE, v1('memory.limit_in_bytes'))).toEqual([512 * 2 ** 20]);
    expect(parse(numbersNamed('total_inactive_file'), v1('memory.stat'))).toEqual([3_276_800]);
    expect(parse(NANOSECONDS, v1('cpuacct.usage'))).toEqual([92_086]);
    expect(parse(numbersNamed('oom_kill'), v1('memory.oom_control'))).toEqual([0]);
  });

  it.each(['max\n', '-1\n', '9223372036854771712\n', '9223372036854710272\n', '18446744073709551615\n'])('%j is no limit', (text) => {
    expect(parse(AMOUNT_OR_NONE, text)).toEqual([unlimited]);
  });

  it('0 is a limit, and so is more memory than any host has', () => {
    expect(parse(AMOUNT_OR_NONE, '0\n')).toEqual([0]);
    expect(parse(AMOUNT_OR_NONE, `${2 ** 60}\n`)).toEqual([2 ** 60]);
    expect(parse(CPU_MAX_PAIR, 'max 100000\n')).toEqual([unlimited, 100_000]);
  });

  it('have no number where the kernel has none', () => {
    for (const digits of ['18446744073709551615', '9223372036854775808']) {
      expect(parse(AMOUNT, `${digits}\n`)).toEqual([none]);
      expect(parse(NANOSECONDS, `${digits}\n`)).toEqual([none]);
      expect(parse(EVENTS, `low ${digits}\nmax 7\n`)).toEqual([none, none, 7, none, none, none]);
    }
  });

  it('of nanoseconds are exact beyond 2^53', () => {
    expect(parse(NANOSECONDS, '9007199254740991999\n')).toEqual([Number.MAX_SAFE_INTEGER]);
    expect(parse(NANOSECONDS, '999\n')).toEqual([0]);
  });

  const samples = [
    ['an amount', AMOUNT, '21200896\n'],
    ['a limit', AMOUNT_OR_NONE, '33554432\n'],
    ['no limit', AMOUNT_OR_NONE, 'max\n'],
    ['a quota', CPU_MAX_PAIR, '20000 100000\n'],
    ['nanoseconds', NANOSECONDS, '92086794\n'],
  ] as const;
  it.each(samples)('of %s are refused wherever they are cut', (_, parser, text) => {
    for (const cut of truncations(text)) expect(parse(parser, cut), JSON.stringify(cut)).toBeNull();
  });

  it('of several lines give whole numbers or nothing, wherever they are cut', () => {
    const text = 'low 1\nhigh 22\nmax 333\noom 4444\noom_kill 5\noom_group_kill 6\n';
    const whole = parse(EVENTS, text) ?? expect.fail('refused');
    for (const cut of truncations(text)) {
      const lines = cut.split('\n').length - 1;
      expect(parse(EVENTS, cut)).toEqual(cut.endsWith('\n') ? whole.map((number, i) => (i < lines ? number : none)) : null);
    }
  });

  it('are refused when they hold anything else', () => {
    for (const text of ['', '\n', 'x\n', '-2\n', '1 2\n', '1\n2\n', ' 1\n', '1.5\n', 'max max\n', '1'.repeat(21)])
      for (const parser of [AMOUNT, AMOUNT_OR_NONE, CPU_MAX_PAIR, NANOSECONDS, EVENTS])
        if (!(parser === CPU_MAX_PAIR && text === '1 2\n')) expect(parse(parser, text), text).toBeNull();
    fc.assert(fc.property(anyText, (text) => [AMOUNT, CPU_MAX_PAIR, EVENTS].every((parser) => parse(parser, `:${text}`) === null)));
  });
});
