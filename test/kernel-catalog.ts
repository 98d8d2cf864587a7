import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseFormat, type TracepointCatalog } from '../src/modules/events/catalog.js';

/** What tracefs of Linux 6.18 has of what is traced. */
export const TRACEFS_SAMPLE = join(import.meta.dirname, '../fixtures/kernel/tracefs-6.18');

/** By tracepoint, fields that a kernel does not have yet; all means the tracepoint itself. */
type Lacks = Readonly<Record<string, readonly string[] | 'all'>>;

const WITHOUT_GROUP_DEAD: Lacks = { 'sched/sched_process_exit': ['group_dead'] };
const BEFORE_6_10: Lacks = { ...WITHOUT_GROUP_DEAD, 'tcp/tcp_probe': ['skaddr'] };
const BEFORE_6_3: Lacks = { ...BEFORE_6_10, 'sock/sock_send_length': 'all', 'sock/sock_recv_length': 'all' };

/** Kernels as the recorded one without what came later. */
export const LACKS = {
  '6.18': {},
  '6.8': BEFORE_6_10,
  '6.1': BEFORE_6_3,
  '5.15': { ...BEFORE_6_3, 'io_uring/io_uring_submit_req': 'all', 'io_uring/io_uring_complete': ['req'] },
} as const satisfies Record<string, Lacks>;

export function recordedCatalog(lacks: Lacks = {}, hasBtf: 'btf' | 'no btf' = 'btf'): TracepointCatalog {
  return {
    hasBtf: hasBtf === 'btf',
    format(tracepoint) {
      const missing = lacks[tracepoint] ?? [];
      if (missing === 'all') return undefined;
      try {
        const format = parseFormat(readFileSync(join(TRACEFS_SAMPLE, 'events', tracepoint, 'format'), 'utf8'));
        return format && { ...format, fields: new Set([...format.fields].filter((field) => !missing.includes(field))) };
      } catch {
        return undefined;
      }
    },
  };
}
