import type { HostCollector, HostCollectorClass } from '../../model/host-collector.js';
import { HostPressureHostCollector } from '../cgroup/host-pressure.host-collector.js';
import { SocketsHostCollector } from '../events/sockets.host-collector.js';
import { TracingHostCollector } from '../events/tracing.host-collector.js';
import { AntreaHostCollector } from '../network/antrea.host-collector.js';
import { ConntrackHostCollector } from '../network/conntrack/conntrack.host-collector.js';
import { ConntrackZonesHostCollector } from '../network/conntrack/conntrack-zones.host-collector.js';
import { OvsHostCollector } from '../network/ovs/ovs.host-collector.js';
import { UpstreamsHostCollector } from '../upstreams/upstreams.host-collector.js';

/** A host collector that Nest can make: what its constructor takes is injected by type. */
export type ListedHostCollector = HostCollectorClass & (new (...given: never[]) => HostCollector);

/** THE LIST of host collectors, in the order in which they read. */
export const HOST_COLLECTORS: readonly ListedHostCollector[] = [
  HostPressureHostCollector,
  ConntrackHostCollector,
  ConntrackZonesHostCollector,
  OvsHostCollector,
  AntreaHostCollector,
  UpstreamsHostCollector,
  TracingHostCollector,
  SocketsHostCollector,
];
