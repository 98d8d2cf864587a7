/** One TCP connection as `ss -tinpHOe` (iproute2) shows it. What the kernel does not tell is null, and no 0. */
export interface TcpSocket {
  /** Known by for its whole life: addresses, inode and the kernel's cookie. */
  readonly key: string;
  /** Pids of those who hold it, as far as they may be seen; ascending. */
  readonly holders: readonly number[];
  /** Payload that was sent, what was sent again counted once. */
  readonly sentBytes: number | null;
  readonly receivedBytes: number | null;
  /** Segments that were sent again. */
  readonly retransmits: number | null;
  readonly rttNanoseconds: number | null;
  /** Since the last segment from the other side. */
  readonly quietMilliseconds: number;
}

const HEAD = /^([A-Z][A-Z0-9-]*) +\d+ +\d+ +(\S+) +(\S+)(?: |$)/;
const USERS = ' users:((';
const USERS_END = '))';
/** One of `users:(("comm",pid=1,fd=2),…)`. A comm may hold quotes and commas, and what looks like a pid, but no `)`: ss ends it there. */
const USER = /^".{0,15}",pid=(\d+),fd=\d+$/s;
/** A comm has 15 bytes, and each may be the end of a line. */
const MAX_JOINED_LINES = 64;
/** Prints what cgroup a socket is of before this, a name that somebody chose. */
const SHUTDOWN = /(?:^| )[<-]-[>-](?= |$)/g;
const INODE = /(?:^| )ino:(\d+)/;
const COOKIE = /(?:^| )sk:([0-9a-f]+)/;
/** The end of a connection that the other side sent counts as one byte received. */
const AFTER_THE_END = new Set(['CLOSE-WAIT', 'LAST-ACK', 'CLOSING']);
const NANOSECONDS_PER_MILLISECOND = 1e6;

/** Every socket of the text; null for each line that does not parse. A pause may be made between any two. */
export function* parseSockets(text: string): Generator<TcpSocket | null> {
  let at = 0;
  while (at < text.length) {
    const first = text.indexOf('\n', at);
    // The last line is whole only with its end.
    if (first < 0) return yield null;
    const end = endOfSocket(text, at, first);
    const socket = parseLine(text.slice(at, end));
    if (first > at) yield socket;
    // What is cut inside of a name must not take the next socket along.
    at = (socket ? end : first) + 1;
  }
}

/** The end of the line on which the users end: not the first, where a comm has ends of lines in it. */
function endOfSocket(text: string, at: number, first: number): number {
  let line = text.slice(at, first);
  const users = line.indexOf(USERS);
  if (users < 0) return first;
  for (let end = first, lines = 0; end >= 0 && lines < MAX_JOINED_LINES; lines++) {
    if (line.includes(USERS_END, users)) return end;
    end = text.indexOf('\n', end + 1);
    line = text.slice(at, end);
  }
  return first;
}

function parseLine(line: string): TcpSocket | null {
  const head = HEAD.exec(line);
  if (!head) return null;
  const users = parseUsers(line);
  if (!users) return null;
  const [, state, local, peer] = head;
  const about = line.slice(users.end);
  const shutdown = [...about.matchAll(SHUTDOWN)].at(-1);
  const names = shutdown ? about.slice(0, shutdown.index) : about;
  const words = wordsOf(shutdown ? about.slice(shutdown.index) : about);
  const key = `${local} ${peer} ${INODE.exec(names)?.[1] ?? ''} ${COOKIE.exec(names)?.[1] ?? ''}`;
  // Where ss had to make do with /proc/net/tcp there is no segment size; with it, words that are missing stand for 0.
  if (!words.has('mss')) {
    return {
      key,
      holders: users.pids,
      ...{ sentBytes: null, receivedBytes: null, retransmits: null },
      rttNanoseconds: null,
      quietMilliseconds: 0,
    };
  }
  const received = count(words.get('bytes_received'));
  return {
    key,
    holders: users.pids,
    sentBytes: sentBytes(words),
    receivedBytes: received !== null && AFTER_THE_END.has(state) ? Math.max(0, received - 1) : received,
    retransmits: retransmits(words.get('retrans')),
    rttNanoseconds: rtt(words.get('rtt')),
    quietMilliseconds: count(words.get('lastack')) ?? 0,
  };
}

function parseUsers(line: string): { readonly pids: readonly number[]; readonly end: number } | null {
  const start = line.indexOf(USERS);
  if (start < 0) return { pids: [], end: HEAD.exec(line)?.[0].length ?? 0 };
  const end = line.indexOf(USERS_END, start);
  if (end < 0) return null;
  const pids = new Set<number>();
  for (const user of line.slice(start + USERS.length, end).split('),(')) {
    const pid = USER.exec(user)?.[1];
    if (pid === undefined) return null;
    pids.add(Number(pid));
  }
  return { pids: [...pids].sort((a, b) => a - b), end: end + USERS_END.length };
}

function wordsOf(text: string): ReadonlyMap<string, string> {
  const words = new Map<string, string>();
  for (const word of text.split(' ')) {
    const colon = word.indexOf(':');
    if (colon > 0) words.set(word.slice(0, colon), word.slice(colon + 1));
  }
  return words;
}

/** Payload is told from Linux 4.19 on; before, acknowledgements beyond that of the first segment show that 0 would be wrong. */
function sentBytes(words: ReadonlyMap<string, string>): number | null {
  if (!words.has('bytes_sent') && (count(words.get('bytes_acked')) ?? 0) > 1) return null;
  const sent = count(words.get('bytes_sent'));
  const again = count(words.get('bytes_retrans'));
  return sent === null || again === null ? null : Math.max(0, sent - again);
}

/** A word that is missing is 0; what is no number, or larger than numbers are exact, is not known. */
function count(word: string | undefined): number | null {
  if (word === undefined) return 0;
  const value = /^\d{1,16}$/.test(word) ? Number(word) : Number.NaN;
  return Number.isSafeInteger(value) ? value : null;
}

/** `now/all`. */
const retransmits = (word: string | undefined): number | null => (word === undefined ? 0 : count(/^\d+\/(\d+)$/.exec(word)?.[1] ?? 'none'));

/** `smoothed/variance` in milliseconds, as printf's %g has them. */
function rtt(word: string | undefined): number | null {
  const smoothed = /^(\d+(?:\.\d+)?(?:e[+-]\d{1,2})?)\/\S+$/.exec(word ?? '')?.[1];
  if (smoothed === undefined) return null;
  const nanoseconds = Math.round(Number(smoothed) * NANOSECONDS_PER_MILLISECOND);
  return Number.isSafeInteger(nanoseconds) && nanoseconds > 0 ? nanoseconds : null;
}
