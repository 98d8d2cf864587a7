import { describe, expect, it } from 'vitest';
import { checkKataId, checkKey } from './stats.js';

const REFUSED = 'invalid container/sandbox ID (should match "^[a-zA-Z0-9][a-zA-Z0-9_.-]+$")';

describe('what is given as an id', () => {
  it.each(['', ' ', '\t\n'])('cannot be blank: %j', (id) => {
    for (const check of [checkKataId, checkKey])
      expect(() => check(id)).toThrow(expect.objectContaining({ name: 'CommandError', message: 'ID cannot be blank' }));
  });

  it.each(['../x', '/', 'a/b', '_a', '.a', 'a b', 'ä', 'aé', 'a\n', 'a%', 'a?b'])('cannot be %j', (id) => {
    for (const check of [checkKataId, checkKey]) expect(() => check(id)).toThrow(expect.objectContaining({ message: REFUSED }));
  });

  it('has two characters for kata-runtime, and one at least for the routes', () => {
    expect(() => checkKataId('a')).toThrow(expect.objectContaining({ message: REFUSED }));
    expect(() => checkKey('a')).not.toThrow();
  });

  it.each(['ab', 'a-', '0_.-', 'f'.repeat(64), 'f'.repeat(300)])('may be %s', (id) => {
    for (const check of [checkKataId, checkKey]) expect(() => check(id)).not.toThrow();
  });
});
