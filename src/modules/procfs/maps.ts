import { kibToBytes } from '../../model/units.js';

/** A mapping of proc_pid_maps(5): written anew for each line, to be used during the visit. */
export interface Mapping {
  bytes: number;
  /** Memory to read and write, and not to execute. */
  data: boolean;
  shared: boolean;
  /** Where the path is in the text: a file's, `[heap]` and the like, or nothing between the two. */
  pathStart: number;
  pathEnd: number;
}

const NEWLINE = 10;
const SPACE = 32;
const DASH = 45;
const [READ, WRITE, SHARED] = Buffer.from('rws', 'latin1');
/** Offset, device, inode. */
const WORDS_BEFORE_PATH = 3;

const mapping: Mapping = { bytes: 0, data: false, shared: false, pathStart: 0, pathEnd: 0 };

/**
 * Every line of /proc/<pid>/maps. The kernel writes a newline in a path as `\012`.
 * @returns false at the first line that is cut or is none; what was visited is then not to be used
 */
export function parseMaps(text: Uint8Array, length: number, visit: (mapping: Mapping) => void): boolean {
  if (length === 0 || text[length - 1] !== NEWLINE) return false;
  for (let at = 0; at < length; ) {
    const end = text.indexOf(NEWLINE, at);
    if (!parseMapping(text, at, end)) return false;
    visit(mapping);
    at = end + 1;
  }
  return true;
}

/**
 * Every mapping of /proc/<pid>/smaps, proc_pid_smaps(5), with its resident bytes: a line as in maps, lines "Name: n kB", VmFlags at the end.
 * @returns as `parseMaps`
 */
export function parseSmaps(text: Buffer, visit: (mapping: Mapping, residentBytes: number) => void): boolean {
  if (text.length === 0 || text[text.length - 1] !== NEWLINE) return false;
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf(NEWLINE, at);
    const flags = text.indexOf('\nVmFlags:', end, 'latin1');
    if (flags < 0 || !parseMapping(text, at, end)) return false;
    const resident = text.indexOf('\nRss:', end, 'latin1');
    if (resident < 0 || resident > flags) return false;
    const kib = /^\nRss: +(\d{1,15}) kB\n/.exec(text.toString('latin1', resident, resident + 40))?.[1];
    if (kib === undefined) return false;
    visit(mapping, kibToBytes(Number(kib)));
    at = text.indexOf(NEWLINE, flags + 1) + 1;
  }
  return true;
}

/** "start-end perms offset device inode path", into `mapping`. `end` is the place of the newline. */
function parseMapping(text: Uint8Array, start: number, end: number): boolean {
  let at = start;
  // Bounds are multiples of the page size: of 64 bits at most 52 are used, which a double holds.
  let low = 0;
  for (let digit = hex(text[at]); digit >= 0; digit = hex(text[++at])) low = low * 16 + digit;
  if (at === start || text[at] !== DASH) return false;
  const second = ++at;
  let high = 0;
  for (let digit = hex(text[at]); digit >= 0; digit = hex(text[++at])) high = high * 16 + digit;
  if (at === second || text[at] !== SPACE || text[at + 5] !== SPACE || at + 5 > end || high <= low) return false;
  mapping.bytes = high - low;
  mapping.data = text[at + 1] === READ && text[at + 2] === WRITE && text[at + 3] === DASH;
  mapping.shared = text[at + 4] === SHARED;
  at += 6;
  for (let word = 0; word < WORDS_BEFORE_PATH; word++) {
    const begin = at;
    while (at < end && text[at] !== SPACE) at++;
    if (at === begin) return false;
    if (word < WORDS_BEFORE_PATH - 1) at++;
  }
  while (at < end && text[at] === SPACE) at++;
  mapping.pathStart = at;
  mapping.pathEnd = end;
  return true;
}

/** Value of a lower-case hexadecimal digit, or -1. */
function hex(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  return byte >= 97 && byte <= 102 ? byte - 87 : -1;
}
