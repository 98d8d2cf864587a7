import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type Need, root } from './needs.js';

const TRACEFS = '/sys/kernel/tracing';

/**
 * Where the kernel shows its tracepoints. systemd mounts it at every boot; where there is no systemd a test may, and leaves it: it is the
 * kernel's own and costs nothing.
 */
export const tracefs: Need = {
  missing: () => {
    if (existsSync(`${TRACEFS}/events/sched/sched_switch/format`)) return undefined;
    if (root.missing() !== undefined) return `no tracefs at ${TRACEFS}`;
    try {
      execFileSync('mount', ['-t', 'tracefs', 'tracefs', TRACEFS], { stdio: 'pipe' });
      return existsSync(`${TRACEFS}/events/sched/sched_switch/format`) ? undefined : 'the kernel has no tracepoints of the scheduler';
    } catch (error) {
      return `tracefs cannot be mounted: ${error instanceof Error ? error.message.split('\n').join(' ') : String(error)}`;
    }
  },
};
