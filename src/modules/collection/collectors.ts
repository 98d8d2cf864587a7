import type { Host } from '../../host/host.js';
import type { Collector, CollectorClass } from '../../model/collector.js';
import type { Tables } from '../../model/tables.js';
import { CgroupCollector } from '../cgroup/cgroup.collector.js';
import { CgroupIoCollector } from '../cgroup/cgroup-io.collector.js';
import { ContentionCollector } from '../cgroup/contention.collector.js';
import { PressureCollector } from '../cgroup/pressure.collector.js';
import { ResourcesCollector } from '../cgroup/resources.collector.js';
import { ThrottlingCollector } from '../cgroup/throttling.collector.js';
import { LatencyCollector } from '../events/latency.collector.js';
import { AllocationCollector } from '../instances/allocation.collector.js';
import { InstanceConntrackCollector } from '../network/conntrack/instance-conntrack.collector.js';
import { InterfacesCollector } from '../network/interfaces.collector.js';
import { NetworkCollector } from '../network/network.collector.js';
import { SwitchPortsCollector } from '../network/ovs/switch-ports.collector.js';
import { BlockIoDelayCollector } from '../procfs/block-io-delay.collector.js';
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
import { KataVmmCollector } from '../shim/kata-vmm.collector.js';
import { KataVmmIoCollector } from '../shim/kata-vmm-io.collector.js';
import { KataVmmStatusCollector } from '../shim/kata-vmm-status.collector.js';
import { PodOverheadCpuCollector } from '../shim/pod-overhead-cpu.collector.js';
import { PodOverheadMemoryCollector } from '../shim/pod-overhead-memory.collector.js';
import { SandboxNetworkCollector } from '../shim/sandbox-network.collector.js';
import { ShimCollector } from '../shim/shim.collector.js';
import { ShimIoCollector } from '../shim/shim-io.collector.js';
import { ShimRpcCollector } from '../shim/shim-rpc.collector.js';
import { ShimSocketCollector } from '../shim/shim-socket.collector.js';
import { ShimStatusCollector } from '../shim/shim-status.collector.js';
import { VirtiofsdCollector } from '../shim/virtiofsd.collector.js';
import { VirtiofsdIoCollector } from '../shim/virtiofsd-io.collector.js';
import { VirtiofsdStatusCollector } from '../shim/virtiofsd-status.collector.js';
import { BalloonCollector } from '../vmm/balloon.collector.js';
import { DegradedCollector } from '../vmm/degraded.collector.js';
import { DisksCollector } from '../vmm/disks.collector.js';
import { ExitsCollector } from '../vmm/exits.collector.js';
import { GuestMemoryCollector } from '../vmm/guest-memory.collector.js';
import { KvmCollector } from '../vmm/kvm.collector.js';
import { MemoryBreakdownCollector } from '../vmm/memory-breakdown.collector.js';
import { MigrationCollector } from '../vmm/migration.collector.js';
import { VcpusCollector } from '../vmm/vcpus.collector.js';
import { VmmCollector } from '../vmm/vmm.collector.js';
import { VmmEventsCollector } from '../vmm/vmm-events.collector.js';
import { VmmMemoryCollector } from '../vmm/vmm-memory.collector.js';
import { VmmStateCollector } from '../vmm/vmm-state.collector.js';
import { VnicsCollector } from '../vmm/vnics.collector.js';

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
  ThrottlingCollector,
  ContentionCollector,
  CgroupCollector,
  CgroupIoCollector,
  ResourcesCollector,
  BlockIoDelayCollector,
  PressureCollector,
  NetworkCollector,
  InterfacesCollector,
  SwitchPortsCollector,
  InstanceConntrackCollector,
  ShimCollector,
  ShimIoCollector,
  ShimStatusCollector,
  KataVmmCollector,
  KataVmmIoCollector,
  KataVmmStatusCollector,
  VirtiofsdCollector,
  VirtiofsdIoCollector,
  VirtiofsdStatusCollector,
  SandboxNetworkCollector,
  PodOverheadCpuCollector,
  PodOverheadMemoryCollector,
  ShimSocketCollector,
  ShimRpcCollector,
  VmmCollector,
  VmmStateCollector,
  VmmMemoryCollector,
  GuestMemoryCollector,
  BalloonCollector,
  DisksCollector,
  VnicsCollector,
  ExitsCollector,
  KvmCollector,
  MigrationCollector,
  VmmEventsCollector,
  LatencyCollector,
  VcpusCollector,
  MemoryBreakdownCollector,
  DegradedCollector,
];
