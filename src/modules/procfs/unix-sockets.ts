/** Flag of a listening socket in /proc/net/unix (__SO_ACCEPTCON). */
const LISTENING = 0x10000;
/** num: refcount protocol flags type state inode [path] */
const ROW = /^[0-9a-f]+: [0-9A-F]{8} [0-9A-F]{8} ([0-9A-F]{8}) [0-9A-F]{4} [0-9A-F]{2} +(\d+) (\S.*)$/;

/** Inode → path of every listening unix socket with a path, from /proc/<pid>/net/unix. Rows that do not parse are passed over. */
export function parseListeningSockets(text: string): ReadonlyMap<string, string> {
  const sockets = new Map<string, string>();
  for (const line of text.split('\n')) {
    const row = ROW.exec(line);
    if (row && (Number.parseInt(row[1], 16) & LISTENING) !== 0) sockets.set(row[2], row[3]);
  }
  return sockets;
}
