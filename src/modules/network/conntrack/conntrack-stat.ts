/** What the kernel counts of tracked connections, each CPU for itself, in its own words: those that conntrack(8) -S prints. */
export const CONNTRACK_WORDS = [
  ...['chaintoolong', 'clash_resolve', 'drop', 'early_drop', 'error', 'found', 'insert_failed', 'invalid', 'search_restart'],
] as const;
export type ConntrackWord = (typeof CONNTRACK_WORDS)[number];

/**
 * Columns by the word in the head of the file, which kernels change: `searched` became `clashres`, `delete_list` became `chainlength`. Not
 * here are those that newer kernels print as 0 for good (`new`, `ignore`, `delete`), and `insert`, which does not count what packets insert:
 * after 22,000 connections Linux 6.18 says 0.
 */
const COLUMNS: Readonly<Record<ConntrackWord, string>> = {
  chaintoolong: 'chainlength',
  clash_resolve: 'clashres',
  drop: 'drop',
  early_drop: 'early_drop',
  error: 'icmp_error',
  found: 'found',
  insert_failed: 'insert_failed',
  invalid: 'invalid',
  search_restart: 'search_restart',
};

/** Counters of one CPU; a word that this kernel does not print is missing. They have 32 bits and begin anew at 0 after 2^32 - 1. */
export type ConntrackCounters = Readonly<Partial<Record<ConntrackWord, number>>>;

export interface ConntrackStat {
  /** Connections of the network namespace. Every line repeats it, each with what it is at that moment: the first one's. */
  readonly entries: number;
  /** One element a possible CPU, in the order of their numbers. */
  readonly cpus: readonly ConntrackCounters[];
}

const HEAD = /^entries(?: +[a-z_]+)+$/;
/** All are printed as %08x. */
const LINE = /^[0-9a-f]{8}(?: +[0-9a-f]{8})+$/;
const NUMBER = /[0-9a-f]{8}/g;
const DIGITS = 8;
const HEXADECIMAL = 16;

/**
 * `net/stat/nf_conntrack`, kernel net/netfilter/nf_conntrack_standalone.c: a head, then a line for each possible CPU.
 * @returns null for a text that is cut or is anything else
 */
export function parseConntrackStat(text: string): ConntrackStat | null {
  const [head, ...lines] = text.split('\n');
  if (lines.pop() !== '' || lines.length === 0 || !HEAD.test(head)) return null;
  const names = head.split(/ +/);
  // One format prints all lines: where the numbers of the first stand, there they stand in each.
  if (!LINE.test(lines[0])) return null;
  const places = [...lines[0].matchAll(NUMBER)].map(({ index }) => index);
  const shape = new RegExp(`^${lines[0].replace(NUMBER, NUMBER.source)}$`);
  if (places.length !== names.length || !lines.every((line) => shape.test(line))) return null;
  const columns = CONNTRACK_WORDS.flatMap((word) => {
    const column = names.indexOf(COLUMNS[word]);
    return column < 0 ? [] : [{ word, place: places[column] }];
  });
  return {
    entries: numberAt(lines[0], 0),
    cpus: lines.map((line) => {
      const counters: Partial<Record<ConntrackWord, number>> = {};
      for (const { word, place } of columns) counters[word] = numberAt(line, place);
      return counters;
    }),
  };
}

const numberAt = (line: string, place: number): number => Number.parseInt(line.slice(place, place + DIGITS), HEXADECIMAL);
