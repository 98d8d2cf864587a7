import { statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { readBounded } from './bounded.js';
import type { HttpTarget } from './http-client.js';

const TABLE_BYTES = 32 << 20;
/** TCP_LISTEN in the column `st`, include/net/tcp_states.h. */
const LISTENING = '0A';

/**
 * Users whose sockets listen there: of a port by /proc/net/tcp and tcp6 of our own network namespace, of a unix socket by its file. Empty
 * where nobody can tell.
 */
export async function listenerOwners(target: HttpTarget): Promise<readonly number[]> {
  try {
    if ('socketPath' in target) return [(await stat(target.socketPath)).uid];
    return ['tcp', 'tcp6'].flatMap((table) => ownersIn(readTable(table), target.port));
  } catch {
    return [];
  }
}

function readTable(name: string): string {
  try {
    return readBounded(`/proc/self/net/${name}`, TABLE_BYTES).toString('latin1');
  } catch {
    // No IPv6.
    return '';
  }
}

/** Columns: sl, local_address, rem_address, st, queues, timer, retransmits, uid (proc_net_tcp.rst). */
export function ownersIn(table: string, port: number): number[] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table.split('\n').flatMap((line) => {
    const [, address = '', , state, , , , uid = ''] = line.trim().split(/ +/);
    return state === LISTENING && address.endsWith(local) && /^\d+$/.test(uid) ? [Number(uid)] : [];
  });
}

/** undefined for a file that is not there. */
export function ownerOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.uid;
}
