const NEWLINE = 10;
const SPACE = 32;
const COLON = 58;
const ZERO = 48;
const SENTINEL = 2 ** 63;

/** Columns of /proc/net/dev behind the colon, proc_pid_net(5), as Kata's items name them: what the host received, then what it sent. */
export const NET_DEV_ITEMS = [
  'recv_bytes',
  'recv_packets',
  'recv_errs',
  'recv_drop',
  'recv_fifo',
  'recv_frame',
  'recv_compressed',
  'recv_multicast',
  'sent_bytes',
  'sent_packets',
  'sent_errs',
  'sent_drop',
  'sent_fifo',
  'sent_colls',
  'sent_carrier',
  'sent_compressed',
] as const;

/** Where the lines of interfaces are: written anew for each, to be used during the visit. `colon` is the end of the name. */
export interface InterfaceLine {
  start: number;
  colon: number;
  end: number;
}

const line: InterfaceLine = { start: 0, colon: 0, end: 0 };

/**
 * Every line with a name in front of a colon, in the kernel's order; the two heads have none. A name may hold a colon, the counters do not.
 * @returns false for a table that is cut
 */
export function eachInterface(text: Uint8Array, length: number, visit: (line: InterfaceLine) => void): boolean {
  if (length === 0 || text[length - 1] !== NEWLINE) return false;
  for (let at = 0; at < length; at = line.end + 1) {
    line.end = text.indexOf(NEWLINE, at);
    line.start = at;
    line.colon = line.end;
    while (line.colon > at && text[line.colon] !== COLON) line.colon--;
    while (text[line.start] === SPACE) line.start++;
    if (line.colon > line.start) visit(line);
  }
  return true;
}

/**
 * The sixteen counters of one line; 2^63 and above is a driver's "no value" and NaN.
 * @returns false for a line that holds fewer, more or anything else; `out` is then not to be used
 */
export function parseItems(text: Uint8Array, { colon, end }: InterfaceLine, out: Float64Array): boolean {
  let at = colon + 1;
  for (let item = 0; item < NET_DEV_ITEMS.length; item++) {
    while (text[at] === SPACE) at++;
    const start = at;
    let value = 0;
    for (let byte = text[at]; byte >= ZERO && byte <= 57; byte = text[++at]) value = value * 10 + (byte - ZERO);
    if (at === start || (text[at] !== SPACE && at !== end)) return false;
    out[item] = value < SENTINEL ? value : Number.NaN;
  }
  while (text[at] === SPACE) at++;
  return at === end;
}
