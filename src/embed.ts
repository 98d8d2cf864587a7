import 'reflect-metadata';

// What `import … from 'vmgauge'` gives: the package's one door, as its `exports` need one file.
export { Host, type HostRoots } from './host/host.js';
export type {
  Hypervisor,
  InstanceRecord,
  InstanceSource,
  InstanceState,
  Nic,
  NicKind,
  ProcessClaim,
} from './model/instance.js';
export type { OutcomeWords } from './model/outcome.js';
export { Settings } from './model/settings.js';
export { Registry } from './modules/instances/registry.js';
export { INSTANCE_SOURCES } from './modules/instances/sources.js';
export type { VmmAnswer } from './modules/vmm/answer.js';
export type { Conversation, Dialogue, DialogueTools, Intrusion } from './modules/vmm/dialogue.js';
export { VmStats, type VmStatsReading } from './vm-stats.js';
export { VmgaugeModule, type VmgaugeOptions } from './vmgauge.module.js';
