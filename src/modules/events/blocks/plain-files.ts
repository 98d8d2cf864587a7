import type { TracepointCatalog } from '../catalog.js';
import type { BlockReason } from '../words.js';
import { ends, FILE_MAPS, needsOf } from './file-calls.js';
import { type Block, isDisk, offers } from './probe.js';

const CALLS = { read: ['read', 'readv'], write: ['write', 'writev'] };

/**
 * Calls without a position, of regular files and block devices alone: nearly all of a VMM's are of eventfds, pipes and sockets, which would
 * drown the others, so without BTF the block is off. Every process of the host pays for these probes: about 0.3 µs a call.
 */
export function plainFiles(catalog: TracepointCatalog): Block | BlockReason {
  if (!offers(catalog, needsOf(CALLS))) return 'missing_tracepoint';
  if (!catalog.hasBtf) return 'no_btf';
  const starts = {
    at: [...CALLS.read, ...CALLS.write].map((name) => `tracepoint:syscalls:sys_enter_${name}`),
    when: '@vm[pid]',
    first: '$fd = (uint64)args->fd & 0xffffffff;',
    body: `
  $table = ((struct task_struct *)curtask)->files->fdt;
  $place = (uint64)$table->fd + $fd * 8;
  if ($fd < (uint64)$table->max_fds) {
    $file = (struct file *)*(uint64 *)kptr($place);
    ${isDisk('$file')} { @file_call[tid] = nsecs; }
  }`,
  };
  return { probes: [starts, ...ends(CALLS)], tells: FILE_MAPS };
}
