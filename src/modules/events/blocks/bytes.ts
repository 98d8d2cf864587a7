import type { TracepointCatalog } from '../catalog.js';
import { type Block, offers } from './probe.js';
import { SOCKET_CALLS, whenReceived, whenSent } from './socket-calls.js';

/** Payload of TCP and UDP that the process itself moves. What passes by a tap is in the counters of that device. */
export function bytes(catalog: TracepointCatalog): Block | 'missing_tracepoint' {
  if (!offers(catalog, SOCKET_CALLS)) return 'missing_tracepoint';
  const added = (direction: number): string => ` if ($protocol == 6 || $protocol == 17) { @net[$k, ${direction}] = sum((uint64)$bytes); }`;
  return { probes: [whenSent(added(1)), whenReceived(added(0))], tells: ['net'] };
}
