import type { TracepointCatalog } from '../catalog.js';
import type { BlockReason } from '../words.js';
import { inFlight } from './in-flight.js';
import { type Block, elapsed, measured, networkOrder, offers, type Probe, toldOf } from './probe.js';
import { SOCKET_CALLS, whenReceived, whenSent } from './socket-calls.js';

export const DNS_IN_FLIGHT = 'asked';
const PORT = networkOrder(53);

/** Where the address of a message is, for sockets that are not connected. */
const ADDRESSED: readonly (readonly [call: string, field: string, when: string, address: string])[] = [
  // Every send() is one without an address: those of others are told apart before anything is looked up.
  ['sendto', 'addr', 'args->addr != 0 && @vm[pid]', '(uint64)args->addr'],
  ['sendmsg', 'msg', '@vm[pid]', '(uint64)((struct user_msghdr *)args->msg)->msg_name'],
  // The first message speaks for all: struct mmsghdr begins with its user_msghdr.
  ['sendmmsg', 'mmsg', '@vm[pid]', '(uint64)((struct user_msghdr *)args->mmsg)->msg_name'],
];

/**
 * Lookups of the process itself: from a datagram to port 53 until one comes back on the same socket; those of a guest are among them only
 * where its VMM sends them for it (user-mode networking). Questions sent before an answer came share the first one's start (A and AAAA),
 * except after two seconds: what was not answered by then is taken for lost. Names are not looked at. TCP, DoT and DoH are not seen.
 */
export function dns(catalog: TracepointCatalog): Block | BlockReason {
  const calls = ADDRESSED.flatMap(([call, field]) => [
    [`syscalls/sys_enter_${call}`, [field]] as const,
    [`syscalls/sys_exit_${call}`, ['ret']] as const,
  ]);
  if (!offers(catalog, { ...SOCKET_CALLS, ...Object.fromEntries(calls) })) return 'missing_tracepoint';
  if (!catalog.hasBtf) return 'no_btf';
  return { probes: [...ADDRESSED.map(addressed), afterwards, whenSent(ASKS), whenReceived(ANSWERED)], tells: toldOf('dns') };
}

const started = inFlight(DNS_IN_FLIGHT);
const KEY = '$k, $sk';

// The lowest bit of a start, a nanosecond, says that an answer has come: the next question begins anew.
const ASKS = `
    if ($protocol == 17) {
      if (((struct sock *)$sk)->__sk_common.skc_dport == ${PORT} || @to_port_53[tid]) {
        $now = nsecs; ${started.get(KEY, '$start')}
        if ($start == 0 || ($start & 1) == 1 || $now - $start > 2000000000) { $begin = ($now >> 1) << 1; ${started.put(KEY, '$begin')} }
      } else { ${started.drop(KEY)} }
    }`;
const ANSWERED = `
    if ($protocol == 17) {
      $now = nsecs; ${started.get(KEY, '$start')}
      if ($start) { $ns = ${elapsed('$now', '$start')}; ${measured('dns', '$k', '$ns')} $seen = $start | 1; ${started.put(KEY, '$seen')} }
    }`;

const addressed = ([call, , when, address]: (typeof ADDRESSED)[number]): Probe => ({
  at: [`tracepoint:syscalls:sys_enter_${call}`],
  when,
  first: `$address = ${address};`,
  // sin_port and sin6_port are at the same place.
  body: ` if ($address && ((struct sockaddr_in *)uptr($address))->sin_port == ${PORT}) { @to_port_53[tid] = 1; }`,
});

const afterwards: Probe = {
  at: ADDRESSED.map(([call]) => `tracepoint:syscalls:sys_exit_${call}`),
  when: '@to_port_53[tid]',
  first: '',
  body: ' delete(@to_port_53[tid]);',
};
