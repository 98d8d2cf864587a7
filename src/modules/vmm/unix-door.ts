/** What the kernel says of one path in /proc/<pid>/net/unix, unix_seq_show() in net/unix/af_unix.c. Paths stand there as they were bound. */
export interface UnixDoor {
  /** Inodes of the sockets that listen there; more than one where several processes bound the same words. */
  readonly listeners: readonly string[];
  /** Clients that were accepted and not closed by the server yet. */
  readonly served: number;
  /** Their inodes on the server's side. */
  readonly accepted: readonly string[];
  /** Clients that nobody accepted yet; also one that has left since. */
  readonly waiting: number;
}

/** __SO_ACCEPTCON */
const LISTENING = 0x10000;
/** SS_CONNECTING, SS_CONNECTED of include/uapi/linux/net.h */
const WAITING = '02';
const SERVED = '03';
/** num: refcount protocol flags type state inode */
const ROW = /^[0-9a-f]+: [0-9A-F]{8} [0-9A-F]{8} ([0-9A-F]{8}) [0-9A-F]{4} ([0-9A-F]{2}) +(\d+)$/;

/** Looks for the path first and at its rows alone: a table of thousands costs what searching its text costs. */
export function parseUnixDoor(table: string, path: string): UnixDoor {
  const listeners: string[] = [];
  const accepted: string[] = [];
  let waiting = 0;
  const ending = ` ${path}\n`;
  for (let at = table.indexOf(ending); at >= 0; at = table.indexOf(ending, at + 1)) {
    const row = ROW.exec(table.slice(table.lastIndexOf('\n', at) + 1, at));
    if (!row) continue;
    if ((Number.parseInt(row[1], 16) & LISTENING) !== 0) listeners.push(row[3]);
    else if (row[2] === SERVED) accepted.push(row[3]);
    else if (row[2] === WAITING) waiting++;
  }
  return { listeners, served: accepted.length, accepted, waiting };
}
