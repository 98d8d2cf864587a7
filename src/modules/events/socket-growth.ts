import type { TcpSocket } from './ss-text.js';

/** What the sockets of one process moved between two looks; null where the kernel does not tell. */
export interface Growth {
  sentBytes: number | null;
  receivedBytes: number | null;
  retransmits: number | null;
  /** Of the socket that heard of the other side last. */
  rttNanoseconds: number | null;
}

interface Seen {
  readonly socket: TcpSocket;
  readonly owner: number | null;
}

/**
 * Two looks at all sockets become growth by process. A socket that was not there at the last look counts in whole, one that is there no more keeps what was
 * last seen of it. A socket that several hold is counted for one of them: for whom it was before, else for the lowest pid.
 */
export class SocketGrowth {
  private seen = new Map<string, Seen>();
  private next = new Map<string, Seen>();
  private growths = new Map<number, Growth>();
  private quiet = new Map<number, number>();

  /** @param pids whose sockets are wanted */
  begin(pids: Iterable<number>): void {
    this.next = new Map();
    this.quiet = new Map();
    this.growths = new Map([...pids].map((pid) => [pid, { sentBytes: 0, receivedBytes: 0, retransmits: 0, rttNanoseconds: null }]));
  }

  add(socket: TcpSocket): void {
    const before = this.seen.get(socket.key);
    const owner = this.ownerOf(socket, before);
    this.next.set(socket.key, { socket, owner });
    const growth = owner === null ? undefined : this.growths.get(owner);
    if (owner === null || !growth) return;
    growth.sentBytes = grown(growth.sentBytes, socket.sentBytes, before?.socket.sentBytes);
    growth.receivedBytes = grown(growth.receivedBytes, socket.receivedBytes, before?.socket.receivedBytes);
    growth.retransmits = grown(growth.retransmits, socket.retransmits, before?.socket.retransmits);
    if (socket.rttNanoseconds === null || socket.quietMilliseconds >= (this.quiet.get(owner) ?? Number.POSITIVE_INFINITY)) return;
    this.quiet.set(owner, socket.quietMilliseconds);
    growth.rttNanoseconds = socket.rttNanoseconds;
  }

  /** @returns growth of each process that was wanted */
  end(): ReadonlyMap<number, Growth> {
    this.seen = this.next;
    return this.growths;
  }

  private ownerOf({ holders }: TcpSocket, before: Seen | undefined): number | null {
    const wanted = holders.filter((pid) => this.growths.has(pid));
    return wanted.find((pid) => pid === before?.owner) ?? wanted[0] ?? null;
  }
}

/** Growth is unknown once a part of it is. */
function grown(sum: number | null, now: number | null, before: number | null = 0): number | null {
  return sum === null || now === null || before === null ? null : sum + Math.max(0, now - before);
}
