import type { HostCollector, HostCollectorClass } from '../../model/host-collector.js';

/** A host collector that Nest can make: what its constructor takes is injected by type. */
export type ListedHostCollector = HostCollectorClass & (new (...given: never[]) => HostCollector);

/** THE LIST of host collectors, in the order in which they read. */
export const HOST_COLLECTORS: readonly ListedHostCollector[] = [];
