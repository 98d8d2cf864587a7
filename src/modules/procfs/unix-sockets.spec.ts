import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, truncations } from '../../../test/kernel-samples.js';
import { parseListeningSockets } from './unix-sockets.js';

const TABLE = `Num       RefCount Protocol Flags    Type St Inode Path
ffff8d5f41a2c000: 00000002 00000000 00010000 0001 01 138909 /run/vm/qmp.sock
ffff8d5f41a2c400: 00000003 00000000 00000000 0001 03 138910 /run/vm/qmp.sock
ffff8d5f41a2c800: 00000002 00000000 00010000 0001 01 20123 @/tmp/abstract
ffff8d5f41a2cc00: 00000002 00000000 00010000 0001 01 20124
0000000000000000: 00000002 00000000 00010000 0005 01   733 /run/a b/with blanks
`;
const SOCKETS = { 138909: '/run/vm/qmp.sock', 20123: '@/tmp/abstract', 733: '/run/a b/with blanks' };

describe('parseListeningSockets', () => {
  it('finds listening sockets with a path, by inode', () => {
    expect(Object.fromEntries(parseListeningSockets(TABLE))).toEqual(SOCKETS);
  });

  it('gives no wrong inode for any truncation', () => {
    for (const cut of truncations(TABLE)) {
      for (const [inode, path] of parseListeningSockets(cut)) {
        const whole = Object.entries(SOCKETS).find(([known]) => known === inode);
        expect(whole?.[1].startsWith(path)).toBe(true);
      }
    }
  });

  it('survives any text', () => {
    expect(parseListeningSockets('').size).toBe(0);
    expect(parseListeningSockets(`${'0'.repeat(70_000)}: `).size).toBe(0);
    fc.assert(fc.property(anyText, (text) => parseListeningSockets(text).size === 0));
  });
});
