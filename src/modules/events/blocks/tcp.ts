import type { TracepointCatalog } from '../catalog.js';
import { type Block, elapsed, measured, offers, type Probe, toldOf } from './probe.js';
import { SOCKET_CALLS, whenReceived, whenSent } from './socket-calls.js';

/**
 * TCP connections. Segments are handled in nobody's context, so a socket is remembered with who connected it, sent or received on it last.
 * Where the kernel does not show sends and receives, sockets that were accepted, or connected before the enrolment, are nobody's.
 */
export function tcp(catalog: TracepointCatalog): Block | 'missing_tracepoint' {
  if (!offers(catalog, { 'sock/inet_sock_set_state': ['skaddr', 'oldstate', 'newstate', 'protocol'] })) return 'missing_tracepoint';
  const probes = [states];
  const tells = [...toldOf('connect'), 'connect_errors'];
  if (offers(catalog, SOCKET_CALLS)) {
    const owned = ' if ($protocol == 6) { @owner[$sk] = $k; }';
    probes.push(whenSent(owned), whenReceived(owned));
  }
  if (offers(catalog, { 'tcp/tcp_retransmit_skb': ['skaddr'] })) {
    probes.push(retransmitted);
    tells.push('retransmits');
  }
  // The socket is among its fields since Linux 6.10; without it nobody's latency can be told.
  if (offers(catalog, { 'tcp/tcp_probe': ['skaddr', 'srtt'] })) {
    probes.push(received);
    tells.push(...toldOf('rtt'));
  }
  return { probes, tells };
}

/** States are 1 ESTABLISHED, 2 SYN_SENT, 3 SYN_RECV (both ends called at once), 7 CLOSE. An attempt that its own process gives up is an error like one that is refused. */
const states: Probe = {
  at: ['tracepoint:sock:inet_sock_set_state'],
  when: 'args->protocol == 6',
  first: '$sk = (uint64)args->skaddr; $old = args->oldstate; $new = args->newstate;',
  body: `
  if ($new == 2) { $k = @vm[pid]; if ($k) { @syn[$sk] = nsecs; @owner[$sk] = $k; } }
  if ($old == 2 || $old == 3) {
    $since = @syn[$sk];
    if ($since) {
      $whose = @owner[$sk];
      if ($new == 1) { $now = nsecs; $ns = ${elapsed('$now', '$since')}; ${measured('connect', '$whose', '$ns')} delete(@syn[$sk]); }
      if ($new == 7) { @connect_errors[$whose] = count(); delete(@syn[$sk]); }
    }
  }
  if ($new == 7 && @owner[$sk]) { delete(@owner[$sk]); }`,
};

/** srtt is the smoothed round-trip time in µs; 0 before the first measurement. */
const received: Probe = {
  at: ['tracepoint:tcp:tcp_probe'],
  when: '',
  first: '$sk = (uint64)args->skaddr; $ns = (uint64)args->srtt * 1000;',
  body: `\n  $whose = @owner[$sk];\n  if ($whose && $ns > 0) { ${measured('rtt', '$whose', '$ns')} }`,
};

const retransmitted: Probe = {
  at: ['tracepoint:tcp:tcp_retransmit_skb'],
  when: '',
  first: '$sk = (uint64)args->skaddr;',
  body: ' $whose = @owner[$sk]; if ($whose) { @retransmits[$whose] = count(); }',
};
