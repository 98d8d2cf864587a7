import { type Needs, type Probe } from './probe.js';

/** Since Linux 6.3. Of sockets of all families, in the context of who sends or receives. */
export const SOCKET_CALLS: Needs = {
  'sock/sock_send_length': ['sk', 'family', 'protocol', 'ret', 'flags'],
  'sock/sock_recv_length': ['sk', 'family', 'protocol', 'ret', 'flags'],
};

// Families 2 and 10, AF_INET and AF_INET6: a protocol number of another family means something else.
const IS_IP = 'args->family == 2 || args->family == 10';
const FIELDS =
  '$sk = (uint64)args->sk; $protocol = (uint64)args->protocol; $bytes = (int64)args->ret; $flags = (uint64)args->flags; $k = @vm[pid];';

/** 2 MSG_PEEK, which leaves there what it reads, and 0x2000 MSG_ERRQUEUE, which gives back what was sent. */
const TAKEN = '$k && $bytes > 0 && ($flags & 0x2002) == 0';

/** @param body with $k, $sk, $bytes and $protocol: 6 TCP, 17 UDP */
export const whenSent = (body: string): Probe => ({
  at: ['tracepoint:sock:sock_send_length'],
  when: IS_IP,
  first: FIELDS,
  body: `\n  if ($k && $bytes > 0) {${body} }`,
});
export const whenReceived = (body: string): Probe => ({
  at: ['tracepoint:sock:sock_recv_length'],
  when: IS_IP,
  first: FIELDS,
  body: `\n  if (${TAKEN}) {${body} }`,
});
