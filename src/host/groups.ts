import { readBounded } from './bounded.js';

const GROUP_BYTES = 4 << 20;
/** 2^32 - 1 means no group, chown(2). */
const LAST_GID = 2 ** 32 - 2;

/** By its number, or by its name in group(5). @returns null where there is none. @throws where the file cannot be read */
export function groupId(group: string, path = '/etc/group'): number | null {
  if (/^\d{1,10}$/.test(group)) return Number(group) <= LAST_GID ? Number(group) : null;
  for (const line of readBounded(path, GROUP_BYTES).toString('utf8').split('\n')) {
    const [name, , gid = ''] = line.split(':');
    if (name === group && /^\d{1,10}$/.test(gid) && Number(gid) <= LAST_GID) return Number(gid);
  }
  return null;
}
