import { beforeEach, describe, expect, it } from 'vitest';
import { type Growth, SocketGrowth } from './socket-growth.js';
import type { TcpSocket } from './ss-text.js';

const MINE = 10;
const OTHER = 20;
const socket = (key: string, change: Partial<TcpSocket> = {}): TcpSocket => ({
  ...{ key, holders: [MINE], sentBytes: 0, receivedBytes: 0, retransmits: 0, rttNanoseconds: null, quietMilliseconds: 0 },
  ...change,
});

let growth: SocketGrowth;
beforeEach(() => {
  growth = new SocketGrowth();
});

const look = (pids: readonly number[], ...sockets: readonly TcpSocket[]): ReadonlyMap<number, Growth> => {
  growth.begin(pids);
  for (const one of sockets) growth.add(one);
  return growth.end();
};
const sent = (pids: readonly number[], ...sockets: readonly TcpSocket[]): (number | null | undefined)[] => {
  const grown = look(pids, ...sockets);
  return pids.map((pid) => grown.get(pid)?.sentBytes);
};

describe('growth of sockets', () => {
  it('is what they moved since the last look, in whole for a new one', () => {
    look([MINE], socket('a', { sentBytes: 5, receivedBytes: 1, retransmits: 1 }));
    const grown = look([MINE], socket('a', { sentBytes: 7, receivedBytes: 4, retransmits: 2 }), socket('b', { sentBytes: 100 }));
    expect(grown.get(MINE)).toEqual({ sentBytes: 102, receivedBytes: 3, retransmits: 1, rttNanoseconds: null });
  });

  it('is 0 for a process that has none, and not there for one that nobody asked for', () => {
    expect([...look([OTHER], socket('a', { sentBytes: 5 }))]).toEqual([
      [OTHER, { sentBytes: 0, receivedBytes: 0, retransmits: 0, rttNanoseconds: null }],
    ]);
  });

  it('never goes back', () => {
    look([MINE], socket('a', { sentBytes: 5 }));
    expect(sent([MINE], socket('a', { sentBytes: 3 }))).toEqual([0]);
    expect(sent([MINE])).toEqual([0]);
  });

  it('counts a connection anew that has the addresses of one that ended', () => {
    look([MINE], socket('addresses 1', { sentBytes: 5 }));
    expect(sent([MINE], socket('addresses 2', { sentBytes: 3 }))).toEqual([3]);
  });

  it('of a shared socket is one process’s, and stays it', () => {
    const shared = (sentBytes: number, ...holders: number[]): TcpSocket => socket('a', { sentBytes, holders });
    expect(sent([MINE, OTHER], shared(1, MINE, OTHER))).toEqual([1, 0]);
    expect(sent([MINE, OTHER], shared(2, 5, MINE, OTHER))).toEqual([1, 0]);
    expect(sent([5, MINE, OTHER], shared(4, 5, MINE, OTHER))).toEqual([0, 2, 0]);
    expect(sent([5, MINE, OTHER], shared(5, 5, OTHER))).toEqual([1, 0, 0]);
    expect(sent([OTHER], shared(9, 5, MINE, OTHER))).toEqual([4]);
  });

  it('of a socket that a process was given is what it moves from then on', () => {
    look([MINE], socket('a', { sentBytes: 1000, holders: [99] }));
    expect(sent([MINE], socket('a', { sentBytes: 1005 }))).toEqual([5]);
  });

  it('is not known where a part of it is not', () => {
    const grown = look([MINE], socket('a', { sentBytes: null, receivedBytes: 4 }), socket('b', { sentBytes: 5 }));
    expect(grown.get(MINE)).toMatchObject({ sentBytes: null, receivedBytes: 4 });
    expect(sent([MINE], socket('a', { sentBytes: 8 }), socket('b', { sentBytes: 5 }))).toEqual([null]);
    expect(sent([MINE], socket('a', { sentBytes: 9 }), socket('b', { sentBytes: 5 }))).toEqual([1]);
  });

  it('has the round-trip time of the socket that heard of the other side last', () => {
    const grown = look(
      [MINE],
      socket('a', { rttNanoseconds: 1, quietMilliseconds: 9 }),
      socket('b', { rttNanoseconds: 2, quietMilliseconds: 3 }),
      socket('c', { rttNanoseconds: 3, quietMilliseconds: 4 }),
      socket('d', { rttNanoseconds: null, quietMilliseconds: 0 }),
      socket('e', { rttNanoseconds: 7, quietMilliseconds: 0, holders: [OTHER] }),
    );
    expect(grown.get(MINE)?.rttNanoseconds).toBe(2);
  });
});
