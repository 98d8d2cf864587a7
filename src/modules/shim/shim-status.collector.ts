import { Injectable } from '@nestjs/common';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { FLOAT, gauge, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { Tables } from '../../model/tables.js';
import { type ProcessLimits, parseLimits } from '../procfs/limits.js';
import { ProcessStatus } from './process-status.js';
import { SHIM } from './roles.js';

const METRICS = {
  maxFds: metric({
    json: 'shim.max_fds',
    family: gauge({ name: 'kata_shim_process_max_fds', help: 'Maximum number of open file descriptors.', identity: 'sandbox' }),
  }),
  virtualMax: metric({
    json: 'shim.memory.virtual_max_bytes',
    description: 'Soft limit of the address space of the shim; 2^64 where there is none.',
    decimals: FLOAT,
    family: gauge({
      name: 'kata_shim_process_virtual_memory_max_bytes',
      help: 'Maximum amount of virtual memory available in bytes.',
      unit: 'bytes',
      identity: 'sandbox',
    }),
  }),
};

/** What every client library of Prometheus prints for RLIM_INFINITY, 2^64-1 as a double. */
const UNLIMITED = 2 ** 64;
const orUnlimited = (limit: number): number => (limit === Number.POSITIVE_INFINITY ? UNLIMITED : limit);

const text = Buffer.allocUnsafeSlow(8192);

/** /proc/<pid>/status and /proc/<pid>/limits of the shim. */
@Injectable()
export class ShimStatusCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'shim_status',
    tier: 'slow',
    reads: '`/proc/<pid>/status` and `/proc/<pid>/limits` of the Kata shim: memory by kind, context switches, limits',
    enabled: true,
  };
  readonly about = ShimStatusCollector.about;
  readonly metrics = [];
  readonly sandboxMetrics;
  readonly concerns = SHIM.concerns;
  private readonly status: ProcessStatus;
  private readonly columns;

  constructor(tables: Tables) {
    this.status = new ProcessStatus(tables, SHIM);
    this.columns = tables.sandboxes.columnsOf(METRICS);
    this.sandboxMetrics = [...this.status.metrics, ...Object.values(METRICS)];
  }

  collect(subject: Subject): Outcome {
    const outcome = this.status.collect(subject);
    const shim = SHIM.process(subject);
    if (!shim || outcome !== Outcome.ok) return outcome;
    const limits = readLimits(shim);
    if (typeof limits === 'number') return limits;
    this.columns.maxFds.back[subject.sandboxRow] = orUnlimited(limits.maxOpenFiles);
    this.columns.virtualMax.back[subject.sandboxRow] = orUnlimited(limits.maxAddressSpaceBytes);
    return Outcome.ok;
  }
}

function readLimits(process: HeldProcess): ProcessLimits | Outcome {
  try {
    return parseLimits(text.toString('latin1', 0, process.readOnce('limits', text))) ?? Outcome.malformed;
  } catch (error) {
    return outcomeOfErrno(error);
  }
}
