const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const NETWORK_GROUPS = 4;
const GROUPS = 8;

/**
 * Who a request counts for: an IPv4 address, or the /64 of an IPv6 address, because a host is given a whole one and can take a new address
 * of it for each request. @param address of the peer as Node writes it; undefined over a unix socket, where nobody can be told apart
 */
export function clientKey(address: string | undefined): string {
  if (address === undefined) return 'unix';
  const ipv4 = MAPPED_IPV4.exec(address)?.[1];
  if (ipv4 !== undefined) return ipv4;
  if (!address.includes(':')) return address;
  return `${groupsOf(address).slice(0, NETWORK_GROUPS).join(':')}::/64`;
}

/** Of `fe80::1%eth0`, with the zeros that `::` stands for. */
function groupsOf(address: string): string[] {
  const [head, tail] = address.split('%')[0].split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  // A dotted end stands for two groups; nobody looks that far.
  return [...before, ...Array.from({ length: Math.max(0, GROUPS - before.length - after.length) }, () => '0'), ...after];
}
