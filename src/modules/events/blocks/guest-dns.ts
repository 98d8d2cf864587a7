import type { TracepointCatalog } from '../catalog.js';
import type { BlockReason } from '../words.js';
import { inFlight } from './in-flight.js';
import { type Block, elapsed, measured, networkOrder, offers, type Probe, toldOf } from './probe.js';

export const GUEST_DNS_IN_FLIGHT = 'guest_asked';
const PORT = networkOrder(53);

/**
 * Lookups of a guest, seen where its frames come out of its tap and answers go into it: datagrams from and to port 53, IPv4 without
 * fragments and IPv6 without extension headers, matched by the guest's port and the number in the DNS header. Not seen: frames that carry
 * a VLAN tag themselves, what a guest asks by TCP, and macvtap, whose frames pass neither place.
 * Every packet of every device of the host pays for these probes, about 0.3 µs: nearly all of it is the kernel's own, before our condition.
 */
export function guestDns(catalog: TracepointCatalog): Block | BlockReason {
  if (!offers(catalog, { 'net/netif_receive_skb': ['skbaddr'], 'net/net_dev_queue': ['skbaddr'] })) return 'missing_tracepoint';
  if (!catalog.hasBtf) return 'no_btf';
  // Received frames have been cut down to their payload, whose header has no place in the skb yet; sent ones begin with Ethernet's.
  const asked = seen('netif_receive_skb', '$data = (uint64)$skb->data;', ASKED);
  const answered = seen('net_dev_queue', '$data = (uint64)$skb->head + (uint64)$skb->network_header;', ANSWERED);
  return { probes: [asked, answered], tells: toldOf('guest_dns') };
}

const started = inFlight(GUEST_DNS_IN_FLIGHT);
const KEY = '$k, $port, $number';

// 0x80 of the third byte of a DNS header: this is an answer.
const ASKED = `if ($to == ${PORT} && ($flags & 0x80) == 0) { $port = $from; $now = nsecs; ${started.put(KEY, '$now')} }`;
const ANSWERED = `if ($from == ${PORT} && ($flags & 0x80) != 0) {
        $port = $to; ${started.get(KEY, '$since')}
        if ($since) { $now = nsecs; $ns = ${elapsed('$now', '$since')}; ${measured('guest_dns', '$k', '$ns')} ${started.drop(KEY)} }
      }`;

const seen = (tracepoint: string, data: string, body: string): Probe => ({
  at: [`tracepoint:net:${tracepoint}`],
  when: '@any_device',
  first: '$skb = (struct sk_buff *)args->skbaddr;',
  body: `
  $dev = $skb->dev;
  $k = @dev[(uint64)$dev->nd_net.net->ns.inum & 0xfffffff, (uint64)$dev->ifindex];
  if ($k) {
    ${data}
    $protocol = (uint64)$skb->protocol;
    $udp = (uint64)0;
    if ($protocol == ${networkOrder(0x0800)}) {
      if (*(uint8 *)($data + 9) == 17 && (*(uint16 *)($data + 6) & ${networkOrder(0x1fff)}) == 0) { $udp = $data + (*(uint8 *)$data & 15) * 4; }
    }
    if ($protocol == ${networkOrder(0x86dd)}) { if (*(uint8 *)($data + 6) == 17) { $udp = $data + 40; } }
    if ($udp) {
      $from = (uint64)*(uint16 *)$udp; $to = (uint64)*(uint16 *)($udp + 2); $number = (uint64)*(uint16 *)($udp + 8); $flags = (uint64)*(uint8 *)($udp + 10);
      ${body}
    }
  }`,
});
