import { FILE_OPERATIONS } from '../words.js';
import { elapsed, measured, type Needs, type Probe, toldOf } from './probe.js';

type FileOperation = (typeof FILE_OPERATIONS)[number];

/** What happened to files, from wherever a block saw it. */
export const FILE_MAPS: readonly string[] = [...toldOf('fs'), 'fs_bytes'];

export const operationNumber = (operation: FileOperation): number => FILE_OPERATIONS.indexOf(operation);

/** System calls on a file descriptor, by what they do. */
export type FileCalls = Readonly<Partial<Record<FileOperation, readonly string[]>>>;

export const needsOf = (calls: FileCalls): Needs =>
  Object.fromEntries(
    Object.values(calls)
      .flat()
      .flatMap((call) => [[`syscalls/sys_enter_${call}`, ['fd']] as const, [`syscalls/sys_exit_${call}`, ['ret']] as const]),
  );

/** Those that this kernel has. */
export const within = (calls: FileCalls, has: (call: string) => boolean): FileCalls =>
  Object.fromEntries(Object.entries(calls).map(([operation, names]) => [operation, names.filter(has)]));

/** Ends of calls whose starts are in @file_call. Calls that fail are timed too, and move no bytes. */
export function ends(calls: FileCalls): readonly Probe[] {
  return FILE_OPERATIONS.flatMap((operation) => {
    const names = calls[operation] ?? [];
    if (names.length === 0) return [];
    const key = `$k, ${operationNumber(operation)}`;
    const added = operation === 'fsync' ? '' : `if ($ret > 0) { @fs_bytes[${key}] = sum((uint64)$ret); } `;
    return [
      {
        at: names.map((name) => `tracepoint:syscalls:sys_exit_${name}`),
        when: '@file_call[tid]',
        first: '$now = nsecs; $ret = (int64)args->ret; $since = @file_call[tid]; $k = @vm[pid];',
        body: `\n  if ($k) { $ns = ${elapsed('$now', '$since')}; ${measured('fs', key, '$ns')} ${added}}\n  delete(@file_call[tid]);`,
      },
    ];
  });
}
