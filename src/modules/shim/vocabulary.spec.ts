import { describe, expect, it } from 'vitest';
import { dragonballText, goShimText } from '../../../test/shim-texts.js';
import { namesOf } from '../exposition/wire-types.js';
import { VOCABULARY, VOCABULARY_NAMES } from './vocabulary.js';

describe('the vocabulary', () => {
  it('has every family that shims send, with the type they send', () => {
    for (const text of [goShimText(), dragonballText()]) {
      const heads = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [
        name.replace(/^(go_|process_)/, 'kata_shim_$1'),
        type,
      ]);
      expect(heads.length).toBeGreaterThan(20);
      for (const [name, type] of heads) expect([name, VOCABULARY.get(name)?.type]).toEqual([name, type]);
    }
  });

  it('has no two families that would meet on a page of either format', () => {
    const names = [...VOCABULARY].flatMap(([name, { type, printed }]) => namesOf(name, printed ?? type));
    expect(names).toHaveLength(VOCABULARY_NAMES.size);
  });

  it('has the 17 groups of Firecracker', () => {
    expect([...VOCABULARY.keys()].filter((name) => name.startsWith('kata_firecracker_'))).toHaveLength(17);
  });

  it('says what each family is, in a sentence', () => {
    for (const [name, { help }] of VOCABULARY) expect([name, help]).toEqual([name, expect.stringMatching(/^[A-Z].*\.$/)]);
  });

  it('names the samples of a family in both formats', () => {
    expect(namesOf('a_total', 'counter')).toEqual(['a_total', 'a', 'a_created']);
    expect(namesOf('a', 'counter')).toEqual(['a', 'a_created']);
    expect(namesOf('a_total', 'gauge')).toEqual(['a_total']);
    expect(namesOf('a', 'histogram')).toEqual(['a', 'a_bucket', 'a_sum', 'a_count', 'a_created']);
    expect(namesOf('a', 'summary')).toEqual(['a', 'a_sum', 'a_count', 'a_created']);
  });

  it('has what agents said of their process while they had a collector of it', () => {
    const words = [...VOCABULARY].filter(([name]) => name.startsWith('kata_agent_process_'));
    expect(words.map(([name, { type }]) => [name.slice('kata_agent_process_'.length), type])).toEqual([
      ['cpu_seconds_total', 'counter'],
      ...['max_fds', 'open_fds', 'resident_memory_bytes', 'start_time_seconds', 'virtual_memory_bytes', 'virtual_memory_max_bytes'].map(
        (word) => [word, 'gauge'],
      ),
    ]);
  });
});
