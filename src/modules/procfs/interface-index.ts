/**
 * The interface of a line of /proc/net/dev_mcast (net/core/dev_addr_lists.c): index, name, and a multicast address that the device listens to.
 * The one file that tells indexes in the namespace of any process; a device has several lines, or none where it is down on a host without IPv6.
 * @returns undefined for any other line
 */
export function parseIndexLine(line: string): { readonly name: string; readonly index: number } | undefined {
  // Blanks and not \s: an interface's name may hold any byte that the kernel's isspace() is false for.
  const [, index, name] = /^(\d{1,10}) +([^ ]+) +\d+ +\d+ +[0-9a-f]+$/.exec(line) ?? [];
  return index === undefined ? undefined : { name, index: Number(index) };
}
