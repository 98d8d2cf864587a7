import type { Probe } from './capability.js';
import { cgroupHierarchy, cpuController, ownCgroup } from './cgroup.probe.js';
import { bootTime } from './clock.probe.js';
import { conntrack } from './conntrack.probe.js';
import { delayAccounting } from './delay-accounting.probe.js';
import { kvm, kvmStatistics, lockdown } from './kvm.probe.js';
import { descriptorLimit, inotify } from './limits.probe.js';
import { networkNamespaces, pidNamespace } from './namespaces.probe.js';
import { ovs } from './ovs.probe.js';
import { pressure } from './pressure.probe.js';
import { descriptorCounts, processIo, schedstat, smaps } from './proc-files.probe.js';
import { hiddenProcesses, otherProcesses } from './processes.probe.js';
import { vmmSockets } from './sockets.probe.js';
import { sourceProbes } from './sources.probe.js';
import { eventTracing } from './tracing.probe.js';
import { upstreams } from './upstreams.probe.js';
import { cloudHypervisorApi, firecrackerApi, firecrackerMetrics, kataShims, qmp, stratovirtQmp } from './vmm.probe.js';

/** THE LIST of probes, in the order of the answer. */
export const PROBES: readonly Probe[] = [
  pidNamespace,
  hiddenProcesses,
  otherProcesses,
  networkNamespaces,
  bootTime,
  descriptorLimit,
  inotify,
  descriptorCounts,
  schedstat,
  processIo,
  smaps,
  cgroupHierarchy,
  cpuController,
  ownCgroup,
  pressure,
  delayAccounting,
  kvm,
  kvmStatistics,
  lockdown,
  conntrack,
  ovs,
  ...sourceProbes,
  vmmSockets,
  qmp,
  stratovirtQmp,
  cloudHypervisorApi,
  firecrackerApi,
  firecrackerMetrics,
  kataShims,
  upstreams,
  eventTracing,
];
