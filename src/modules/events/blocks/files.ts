import type { TracepointCatalog } from '../catalog.js';
import { ends, FILE_MAPS, needsOf, within } from './file-calls.js';
import { type Block, offers } from './probe.js';

/** Calls with a position: those that a VMM's disk code makes, and nothing else of it. */
const CALLS = {
  read: ['pread64', 'preadv', 'preadv2'],
  write: ['pwrite64', 'pwritev', 'pwritev2'],
  fsync: ['fsync', 'fdatasync'],
};

export function files(catalog: TracepointCatalog): Block | 'missing_tracepoint' {
  const calls = within(CALLS, (call) => offers(catalog, needsOf({ read: [call] })));
  const names = Object.values(calls).flat();
  if (names.length === 0) return 'missing_tracepoint';
  const starts = {
    at: names.map((name) => `tracepoint:syscalls:sys_enter_${name}`),
    when: '@vm[pid]',
    first: '',
    body: ' @file_call[tid] = nsecs;',
  };
  return { probes: [starts, ...ends(calls)], tells: FILE_MAPS };
}
