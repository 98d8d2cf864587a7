import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ID_PATTERN } from '../../model/instance.js';
import { resolve } from './resolve.js';

const named = (...pairs: [id: string, name: string][]) => new Map(pairs.map(([id, name]) => [id, { id, name }]));
const all = named(['abc-1', 'web'], ['abc-2', 'db'], ['web', 'other'], ['xyz', 'abc-1'], ['d1', 'twin'], ['d2', 'twin']);

describe('resolve', () => {
  it('takes the exact id before the exact name, and that before a prefix', () => {
    expect(resolve('web', all).id).toBe('web');
    expect(resolve('abc-1', all).id).toBe('abc-1');
    expect(resolve('db', all).id).toBe('abc-2');
    expect(resolve('xy', all).id).toBe('xyz');
  });

  it('knows a sandbox by Kata’s id, whatever else it is called, but for who has that id', () => {
    const sandboxes = new Map([
      ['vm-1', { id: 'vm-1', name: 'box-2', sandboxId: 'box-1' }],
      ['vm-2', { id: 'vm-2', name: 'box-1', sandboxId: 'box-2' }],
      ['box-3', { id: 'box-3', name: 'c' }],
      ['vm-4', { id: 'vm-4', name: 'd', sandboxId: 'box-3' }],
    ]);
    expect(['box-1', 'box-2', 'box-3'].map((key) => resolve(key, sandboxes).id)).toEqual(['vm-1', 'vm-2', 'box-3']);
  });

  it.each(['abc', 'd', 'twin'])('says that %s is ambiguous', (key) => {
    expect(() => resolve(key, all)).toThrow(expect.objectContaining({ code: 'ambiguous', status: 409 }));
  });

  it('says in the words of kata-runtime that there is none', () => {
    expect(() => resolve('nobody', all)).toThrow(
      expect.objectContaining({ code: 'not_found', detail: 'Container ID (nobody) does not exist' }),
    );
  });

  it.each(['', '.', '..', '../etc', '..%2f', 'a/b', 'a\0', 'a\n', ' a', 'é', '-a', '_a', 'a'.repeat(129), 'a'.repeat(10_240)])(
    'refuses %.20j before it looks',
    (key) => {
      const untouched = new Proxy(all, {
        get: () => expect.fail('looked up'),
      });
      expect(() => resolve(key, untouched)).toThrow(expect.objectContaining({ code: 'invalid_id', status: 400 }));
    },
  );

  it('answers any text with an instance of that id, name or prefix, or an error that it knows', () => {
    fc.assert(
      fc.property(fc.string(), (key) => {
        try {
          const found = resolve(key, all);
          expect(found.id.startsWith(key) || found.name === key).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ code: ID_PATTERN.test(key) ? expect.stringMatching(/^(not_found|ambiguous)$/) : 'invalid_id' });
        }
      }),
    );
  });
});
