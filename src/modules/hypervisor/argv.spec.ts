import { describe, expect, it } from 'vitest';
import { hasAny, lastValueOf, parseLongWords, parseQemuWords, valuesOf } from './argv.js';

describe('parseQemuWords', () => {
  it('takes one or two dashes, repeated options in order, and options without a value', () => {
    const line = parseQemuWords(['qemu', '-S', '--name', 'a', '-device', 'x', '-device', 'y', '-nodefaults']);
    expect(lastValueOf(line, 'name')).toBe('a');
    expect(valuesOf(line, 'device')).toEqual(['x', 'y']);
    expect(valuesOf(line, 'S')).toEqual(['']);
    expect(hasAny(line, ['nodefaults'])).toBe(true);
  });

  it('does not take a tenant’s free text for an option', () => {
    const line = parseQemuWords(['qemu', '-append', '-netdev', '-name', '-nodefaults', '-m', '1G']);
    expect([...line.options.keys()]).toEqual(['append', 'name', 'm']);
  });

  it('passes over disk images and options it does not know', () => {
    const line = parseQemuWords(['qemu', 'disk.img', '-new-flag', '-m', '1G', '-readconfig', 'f', 'b.img', '-smp', '2']);
    expect(lastValueOf(line, 'm')).toBe('1G');
    expect(lastValueOf(line, 'smp')).toBe('2');
  });

  it('says when it has not seen everything', () => {
    expect(parseQemuWords(['qemu']).complete).toBe(true);
    expect(parseQemuWords([]).complete).toBe(false);
    expect(parseQemuWords(['']).complete).toBe(false);
    const long = parseQemuWords(['qemu', ...Array.from({ length: 10_000 }, (_, i) => `-o${i}`)]);
    expect(long.complete).toBe(false);
    expect(long.options.size).toBe(4095);
  });
});

describe('parseLongWords', () => {
  it('takes several values after one option, repeated options, and values after =', () => {
    const line = parseLongWords(['ch', '--net', 'tap=a', 'tap=b', '--net=tap=c', '-v', '--no-api']);
    expect(valuesOf(line, 'net')).toEqual(['tap=a', 'tap=b', 'tap=c']);
    expect(hasAny(line, ['v'])).toBe(true);
    expect(valuesOf(line, 'no-api')).toEqual([]);
  });

  it('ends at a bare double dash', () => {
    expect(hasAny(parseLongWords(['fc', '--', '--id', 'x']), ['id'])).toBe(false);
  });
});
