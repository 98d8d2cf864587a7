import { unlessGone } from './own-process.js';
import type { ProbeTools } from './probe-tools.js';

export interface Mount {
  readonly at: string;
  readonly type: string;
  /** Of this mount and of the file system behind it: `rw`, `hidepid=invisible`. */
  readonly options: readonly string[];
}

/** What is mounted where this process sees it; empty where the procfs that is read does not know this process. */
export async function mounts({ host, look }: ProbeTools): Promise<readonly Mount[]> {
  return parseMounts((await unlessGone(look.text(host.proc('self', 'mountinfo')))) ?? '');
}

/** proc_pid_mountinfo(5): `36 35 98:0 /root /point options [optional fields] - type source options`. Lines that are cut are left out. */
export function parseMounts(text: string): readonly Mount[] {
  return text.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ');
    const [, , , , point, own] = before.split(' ');
    const [type, , behind] = after?.split(' ') ?? [];
    if (own === undefined || behind === undefined) return [];
    return [{ at: unescaped(point), type, options: [...new Set([...own.split(','), ...behind.split(',')])] }];
  });
}

/** Blanks, tabs, line ends and backslashes are octal there. */
const unescaped = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** The one that is seen at a path: the last that was mounted there. */
export const mountAt = (all: readonly Mount[], path: string): Mount | undefined =>
  all.findLast(({ at }) => at === path.replace(/(?<=.)\/+$/, ''));
