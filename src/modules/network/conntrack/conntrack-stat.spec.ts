import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, kernelSample, truncations } from '../../../../test/kernel-samples.js';
import { CONNTRACK_WORDS, parseConntrackStat } from './conntrack-stat.js';

const RECORDED = kernelSample('linux-6.18-conntrack/stat');
const [HEAD] = RECORDED.split('\n');
const line = (...values: readonly number[]): string => `${values.map((value) => value.toString(16).padStart(8, '0')).join(' ')}\n`;

describe('net/stat/nf_conntrack', () => {
  it('has the connections of the namespace, and what each CPU counted', () => {
    const stat = parseConntrackStat(RECORDED);
    expect(stat?.entries).toBe(10);
    expect(stat?.cpus).toHaveLength(2);
    expect(stat?.cpus.map(({ error }) => error)).toEqual([0, 8]);
    expect(Object.keys(stat?.cpus[0] ?? {})).toEqual(CONNTRACK_WORDS);
  });

  it('is read by the words of its head', () => {
    const words = HEAD.split(/ +/);
    const stat = parseConntrackStat(`${HEAD}\n${line(...words.map((_, place) => place))}`);
    const place = (word: string): number => words.indexOf(word);
    expect(stat).toEqual({
      entries: 0,
      cpus: [
        {
          ...{ chaintoolong: place('chainlength'), clash_resolve: place('clashres'), drop: place('drop'), early_drop: place('early_drop') },
          ...{ error: place('icmp_error'), found: place('found'), insert_failed: place('insert_failed'), invalid: place('invalid') },
          search_restart: place('search_restart'),
        },
      ],
    });
    expect(parseConntrackStat(`entries  drop invalid\n${line(7, 8, 9)}`)).toEqual({ entries: 7, cpus: [{ drop: 8, invalid: 9 }] });
  });

  it('lacks what an older kernel does not print, and never says 0 of it', () => {
    const old = HEAD.replace('clashres', 'searched').replace('chainlength', 'delete_list').replace(' search_restart', '');
    const [counters] = parseConntrackStat(`${old}\n${line(...old.split(/ +/).map(() => 5))}`)?.cpus ?? [];
    expect(counters).not.toHaveProperty('clash_resolve');
    expect(counters).not.toHaveProperty('chaintoolong');
    expect(counters).not.toHaveProperty('search_restart');
    expect(counters).toMatchObject({ drop: 5, error: 5 });
  });

  it('goes as far as 32 bits do', () => {
    expect(parseConntrackStat(`entries  drop\n${line(2 ** 32 - 1, 2 ** 32 - 1)}`)).toEqual({
      entries: 2 ** 32 - 1,
      cpus: [{ drop: 2 ** 32 - 1 }],
    });
    expect(parseConntrackStat(`entries  drop\n${line(1, 2 ** 64 - 1)}`)).toBeNull();
  });

  it('is nothing without its head, without a line, or with a line of another length', () => {
    expect(parseConntrackStat(line(1, 2))).toBeNull();
    expect(parseConntrackStat(`${HEAD}\n`)).toBeNull();
    expect(parseConntrackStat(`entries  drop\n${line(1, 2, 3)}`)).toBeNull();
    expect(parseConntrackStat(`entries  drop\n${line(1, 2)}${line(1)}`)).toBeNull();
    expect(parseConntrackStat(`drop  entries\n${line(1, 2)}`)).toBeNull();
    expect(parseConntrackStat('entries  drop\n00000001  -0000001\n')).toBeNull();
    const apart = 'entries drop  found\n00000001 00000002  00000003\n';
    expect(parseConntrackStat(apart)).not.toBeNull();
    expect(parseConntrackStat(`${apart}00000001  00000002 00000003\n`)).toBeNull();
  });

  it('cut anywhere but after a line is nothing, and after one has no other numbers', () => {
    const whole = parseConntrackStat(RECORDED);
    for (const text of truncations(RECORDED)) {
      const stat = parseConntrackStat(text);
      expect(stat === null || stat.cpus.length === 1, text).toBe(true);
      if (stat) expect(whole?.cpus[0]).toEqual(stat.cpus[0]);
    }
  });

  it('survives anything', () => {
    fc.assert(fc.property(anyText, (text) => parseConntrackStat(text) === null));
    fc.assert(fc.property(anyText, (text) => parseConntrackStat(`${HEAD}\n${text}\n`) === null));
  });
});
