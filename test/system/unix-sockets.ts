import { readFileSync } from 'node:fs';

/** What the kernel knows of a unix socket and of its clients, proc_net_unix(5). */
export interface Door {
  readonly listens: boolean;
  /** Sockets made by accept(2): clients that the listener took. */
  readonly served: number;
  /** Connected and not accepted: in the backlog. */
  readonly waiting: number;
}

const CONNECTED = '03';
const CONNECTING = '02';
const LISTENS = 0x10000;

/** Of the sockets at these paths. Columns: Num RefCount Protocol Flags Type St Inode Path. */
export function doorsAt(paths: readonly string[]): readonly Door[] {
  const rows = readFileSync('/proc/net/unix', 'latin1')
    .split('\n')
    .map((line) => line.trim().split(/ +/));
  return paths.map((path) => {
    const own = rows.filter((row) => row.slice(7).join(' ') === path);
    const clients = own.filter(([, , , flags = '']) => (Number.parseInt(flags, 16) & LISTENS) === 0);
    return {
      listens: clients.length < own.length,
      served: clients.filter(([, , , , , state]) => state === CONNECTED).length,
      waiting: clients.filter(([, , , , , state]) => state === CONNECTING).length,
    };
  });
}
