import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, inUsedBuffer, kernelSample, truncations } from '../../../test/kernel-samples.js';
import { PRESSURE_LENGTH, parsePressure, RESOURCES, type Resource } from './pressure-text.js';

const sample = (name: string): string => kernelSample(`linux-6.18-pressure/${name}`);

/** null for a text that is refused. */
function parse(text: string, resource: Resource = 'cpu', leftover?: string): number[] | null {
  const out = new Float64Array(PRESSURE_LENGTH).fill(-1);
  const [bytes, length] = inUsedBuffer(text);
  if (leftover !== undefined) bytes.write(leftover, length, 'latin1');
  return parsePressure(bytes, length, resource, out) ? [...out] : null;
}

const line = (stall: 'some' | 'full', total: number | string, average = '0.00'): string =>
  `${stall} avg10=${average} avg60=${average} avg300=${average} total=${total}\n`;
const NONE = Array(4).fill(Number.NaN);

describe('a text of pressure', () => {
  it('has shares in hundredths of a percent and microseconds, of some and of all tasks', () => {
    expect(parse(sample('cgroup/cpu.pressure'))).toEqual([4720, 1027, 221, 7_864_929, 29, 8, 1, 93_040]);
    expect(parse(sample('cgroup/io.pressure'), 'io')).toEqual([349, 101, 22, 706_761, 349, 101, 22, 706_748]);
    expect(parse(sample('host/memory'), 'memory')).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(parse(line('some', 5, '100.00'))?.slice(0, 4)).toEqual([10_000, 10_000, 10_000, 5]);
  });

  it('has no full for cpu before Linux 5.13, and no some for irq: they are not 0', () => {
    expect(parse(line('some', 7))).toEqual([0, 0, 0, 7, ...NONE]);
    expect(parse(sample('cgroup/irq.pressure'), 'irq')).toEqual([...NONE, 12, 7, 1, 48_213]);
  });

  it.each(['memory', 'io'] as const)('has both for %s with every kernel', (resource) => {
    expect(parse(line('some', 7) + line('full', 6), resource)).not.toBeNull();
    for (const one of [line('some', 7), line('full', 6)]) expect(parse(one, resource)).toBeNull();
    expect(parse(line('full', 6))).toBeNull();
    expect(parse(line('some', 6), 'irq')).toBeNull();
  });

  it('is refused wherever it is cut, but for cpu between its lines', () => {
    const text = sample('cgroup/cpu.pressure');
    const first = text.indexOf('\n') + 1;
    for (const resource of RESOURCES)
      for (const cut of truncations(text)) {
        if (resource === 'cpu' && cut.length === first) continue;
        expect(parse(cut, resource), `${resource} at ${cut.length}`).toBeNull();
        // What an earlier reading left behind is no part of it.
        expect(parse(cut, resource, text.slice(cut.length)), `${resource} at ${cut.length}`).toBeNull();
      }
    expect(parse(text.slice(0, first), 'cpu', text.slice(first))?.slice(4)).toEqual(NONE);
  });

  it.each([
    ...[
      '\n',
      'x 1 2\n',
      line('full', 1) + line('some', 1),
      line('some', 1) + line('some', 2),
      `${line('some', 1)}\n`,
      ` ${line('some', 1)}`,
    ],
    ...[line('some', ''), line('some', '-1'), line('some', '1.5'), line('some', '1 '), line('some', '0x1'), line('some', '1e3')],
    ...[
      line('some', 1, '1'),
      line('some', 1, '1.5'),
      line('some', 1, '1.555'),
      line('some', 1, '.55'),
      line('some', 1, '-0.10'),
      line('some', 1, '100.01'),
    ],
    ...[line('some', 1).replace('avg60', 'avg61'), line('some', 1).replace(' avg300=0.00', ''), line('some', 1).replace('\n', '\0')],
  ])('is refused where it is %j', (text) => {
    expect(parse(text)).toBeNull();
  });

  it('is exact to 2^53, and refused from 2^63 on', () => {
    for (const total of ['0', '9007199254740991', '9007199254740992']) expect(String(parse(line('some', total))?.[3])).toBe(total);
    for (const total of ['9223372036854775808', '18446744073709551615', '9'.repeat(400)]) expect(parse(line('some', total))).toBeNull();
  });

  it('is any that the kernel can print', () => {
    const average = fc.nat(10_000);
    const stall = fc.tuple(average, average, average, fc.maxSafeNat());
    const text = (word: string, [a, b, c, total]: readonly number[]): string => {
      const percent = (value: number): string => (value / 100).toFixed(2);
      return `${word} avg10=${percent(a)} avg60=${percent(b)} avg300=${percent(c)} total=${total}\n`;
    };
    fc.assert(
      fc.property(stall, stall, (some, full) => {
        expect(parse(text('some', some) + text('full', full), 'io')).toEqual([...some, ...full]);
      }),
    );
  });

  it('may be any bytes', () => {
    fc.assert(
      fc.property(anyText, fc.constantFrom(...RESOURCES), (text, resource) => {
        expect(parse(text, resource)).toBeNull();
      }),
    );
  });
});
