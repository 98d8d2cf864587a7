import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseUnixDoor } from './unix-door.js';

/** Recorded on Linux 6.18: a listener with three clients accepted and two waiting, of which one has left, among others. */
const TABLE = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 2711 /run/ch.sock
0000000000000000: 00000003 00000000 00000000 0001 03 2715 /run/ch.sock
0000000000000000: 00000003 00000000 00000000 0001 03 2716 /run/ch.sock
0000000000000000: 00000003 00000000 00000000 0001 03 2717 /run/ch.sock
0000000000000000: 00000002 00000000 00000000 0001 02     0 /run/ch.sock
0000000000000000: 00000001 00000000 00000000 0001 02     0 /run/ch.sock
0000000000000000: 00000003 00000000 00000000 0001 03 2718
0000000000000000: 00000002 00000000 00010000 0001 01 2800 /jail/run/ch.sock
0000000000000000: 00000002 00000000 00010000 0001 01 2801 /run/ch.sock.old
0000000000000000: 00000002 00000000 00010000 0001 01 2802 ch.sock
0000000000000000: 00000002 00000000 00010000 0005 01 2803 /run/other.sock
`;

const NOBODY = { accepted: [], served: 0, waiting: 0 };

describe('a path in the table of unix sockets', () => {
  it('has those who listen, who are served and who wait, by its own words only', () => {
    expect(parseUnixDoor(TABLE, '/run/ch.sock')).toEqual({
      listeners: ['2711'],
      accepted: ['2715', '2716', '2717'],
      served: 3,
      waiting: 2,
    });
    expect(parseUnixDoor(TABLE, 'ch.sock')).toEqual({ listeners: ['2802'], ...NOBODY });
    expect(parseUnixDoor(TABLE, '/run/none.sock')).toEqual({ listeners: [], ...NOBODY });
  });

  it('may be bound by several, each in a root of its own', () => {
    expect(parseUnixDoor(TABLE.replace('/jail/run', '/run'), '/run/ch.sock').listeners).toEqual(['2711', '2800']);
  });

  it('is not mistaken for the end of another, or for a part of a row', () => {
    for (const part of ['', '2711', '01 2711 /run/ch.sock', '0001 01 2711 /run/ch.sock', ' /run/ch.sock'])
      expect(parseUnixDoor(TABLE, part)).toEqual({ listeners: [], ...NOBODY });
    // A path with a blank whose end looks like another's.
    const odd = `${TABLE}0000000000000000: 00000002 00000000 00010000 0001 01 2900 /tmp/a /run/ch.sock\n`;
    expect(parseUnixDoor(odd, '/run/ch.sock').listeners).toEqual(['2711']);
    expect(parseUnixDoor(odd, '/tmp/a /run/ch.sock').listeners).toEqual(['2900']);
  });

  it('that is cut anywhere has no more than the whole', () => {
    for (let end = 0; end <= TABLE.length; end++) {
      const { listeners, served, waiting } = parseUnixDoor(TABLE.slice(0, end), '/run/ch.sock');
      expect([[], ['2711']]).toContainEqual(listeners);
      expect(served <= 3 && waiting <= 2).toBe(true);
    }
  });

  it('is not found in noise', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (table, path) => {
        expect(parseUnixDoor(table, path).listeners).toEqual([]);
      }),
    );
  });
});
