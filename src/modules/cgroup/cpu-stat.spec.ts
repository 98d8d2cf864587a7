import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, kernelSample, truncations } from '../../../test/kernel-samples.js';
import { parseThrottling } from './cpu-stat.js';

const V2 = kernelSample('cgroup-v2-6.1/scope/cpu.stat');
const V1 = kernelSample('cgroup-v1-6.18/cpu.stat');

describe('parseThrottling', () => {
  it('reads microseconds of version 2', () => {
    expect(parseThrottling(V2)).toEqual({ periods: 87, throttledPeriods: 68, throttledMicroseconds: 5_388_392 });
  });

  it('reads nanoseconds of version 1, whole microseconds of them', () => {
    const nanoseconds = /throttled_time (\d+)/.exec(V1)?.[1] ?? expect.fail('no such line');
    expect(parseThrottling(V1)).toMatchObject({ throttledMicroseconds: Math.floor(Number(nanoseconds) / 1000) });
    expect(parseThrottling('throttled_time 999\n')).toMatchObject({ throttledMicroseconds: 0 });
    expect(parseThrottling('throttled_time 9007199254740991999\n')).toMatchObject({ throttledMicroseconds: Number.MAX_SAFE_INTEGER });
  });

  it('reads the time alone of cpu.stat.local', () => {
    const local = parseThrottling(kernelSample('cgroup-v1-6.18/child/cpu.stat.local'));
    expect(local).toEqual({ periods: Number.NaN, throttledPeriods: Number.NaN, throttledMicroseconds: expect.any(Number) });
    expect(parseThrottling('throttled_usec 7\n')).toMatchObject({ throttledMicroseconds: 7 });
  });

  it('tells a cgroup whose controller is off from one that was never throttled', () => {
    expect(parseThrottling('usage_usec 7\nuser_usec 3\nsystem_usec 4\n')).toBe('none');
    expect(parseThrottling(kernelSample('cgroup-v2-6.1/slice/cpu.stat'))).toEqual({
      periods: 0,
      throttledPeriods: 0,
      throttledMicroseconds: 0,
    });
  });

  it.each([
    ['version 2', V2],
    ['version 1', V1],
  ])('gives whole numbers of %s or nothing, wherever it is cut', (_, text) => {
    for (const cut of truncations(text)) {
      const part = parseThrottling(cut);
      if (!cut.endsWith('\n')) expect(part).toBeNull();
      else if (part !== 'none')
        expect(part?.throttledMicroseconds).toBe(Reflect.get(Object(parseThrottling(text)), 'throttledMicroseconds'));
    }
  });

  it('has no number where the kernel has none', () => {
    for (const digits of ['18446744073709551615', '9223372036854775808']) {
      const text = `nr_periods ${digits}\nnr_throttled ${digits}\nthrottled_usec ${digits}\n`;
      for (const unit of [text, text.replace('throttled_usec', 'throttled_time')])
        expect(parseThrottling(unit)).toEqual({ periods: Number.NaN, throttledPeriods: Number.NaN, throttledMicroseconds: Number.NaN });
    }
  });

  it('refuses what is none', () => {
    for (const text of ['', 'x', '\n', 'nr_periods\n', 'nr_periods -1\n', 'nr_periods 1 2\n', 'nr_periods 1\nx\n', 'nr_periods  1\n'])
      expect(parseThrottling(text)).toBeNull();
    fc.assert(fc.property(anyText, (text) => parseThrottling(text) === null));
  });
});
