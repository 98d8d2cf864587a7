import { normalize } from 'node:path';
import { withHeldSocket } from '../../../host/held-socket.js';
import { resolvePath, whatIs } from '../../../host/strangers.js';

const LONGEST_NAME = 255;
const VAR_RUN = /^\/var\/run\//;

/** A path as the host of today has it: `/var/run` is a link to `/run` on every distribution. Without the slash at its end. */
export const runPath = (path: string): string =>
  normalize(path)
    .replace(VAR_RUN, '/run/')
    .replace(/(?<=.)\/$/, '');

/** Bridges are named by whoever may write to the database: a name is put into a path only where it can be no more than the name of a file. */
export const isOnePathPart = (name: string): boolean =>
  name !== '' && !name.includes('/') && !name.includes('\0') && Buffer.byteLength(name) <= LONGEST_NAME;

/**
 * Connects to a socket in a run directory of Open vSwitch: made by root, by our own user, or by whom the directory belongs to, which
 * distributions give to a user of its own.
 * @param left milliseconds until the deadline
 * @throws as withHeldSocket; ENOENT where the directory is not there
 */
export async function withSwitchSocket<T>(
  directory: string,
  name: string,
  left: () => number,
  connect: (path: string) => Promise<T>,
): Promise<T> {
  // The operator named it, and some distributions have a symlink there; what is in it is followed nowhere.
  const real = await resolvePath(directory);
  const { owner } = await whatIs(real);
  const owners = [0, owner, ...(process.getuid ? [process.getuid()] : [])];
  return withHeldSocket({ directory: real, name, owners }, left, ({ path }) => connect(path));
}
