import type { Host } from '../../host/host.js';
import type { Collector, CollectorClass } from '../../model/collector.js';
import type { Tables } from '../../model/tables.js';
import { AllocationCollector } from '../instances/allocation.collector.js';
import { NetworkCollector } from '../network/network.collector.js';
import { ContextSwitchesCollector } from '../procfs/context-switches.collector.js';
import { CpuCollector } from '../procfs/cpu.collector.js';
import { DescriptorsCollector } from '../procfs/descriptors.collector.js';
import { IoCollector } from '../procfs/io.collector.js';
import { LimitsCollector } from '../procfs/limits.collector.js';
import { MemoryCollector } from '../procfs/memory.collector.js';
import { MemoryDetailCollector } from '../procfs/memory-detail.collector.js';
import { ProcessCollector } from '../procfs/process.collector.js';
import { PssCollector } from '../procfs/pss.collector.js';
import { VhostCollector } from '../procfs/vhost.collector.js';
import { WaitCollector } from '../procfs/wait.collector.js';

/** A collector the house can make: its constructor takes what Nest injects by type, or what `collectorsFor` hands over. */
export type ListedCollector = CollectorClass & (new (tables: Tables, host: Host) => Collector);

/** THE LIST of collectors. Their order is that of their columns and of `collectors` in the stats document. */
export const COLLECTORS: readonly ListedCollector[] = [
  AllocationCollector,
  CpuCollector,
  VhostCollector,
  MemoryCollector,
  MemoryDetailCollector,
  PssCollector,
  ProcessCollector,
  DescriptorsCollector,
  LimitsCollector,
  ContextSwitchesCollector,
  IoCollector,
  WaitCollector,
  NetworkCollector,
];
