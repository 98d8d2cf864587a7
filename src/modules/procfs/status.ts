import { kibToBytes } from '../../model/units.js';

/** Slots of `parseStatusLines`, in the kernel's order: bytes, then counts of one thread. VmPMD is gone since Linux 4.15. */
export const Status = {
  peakVirtualBytes: 0,
  virtualBytes: 1,
  lockedBytes: 2,
  pinnedBytes: 3,
  peakResidentBytes: 4,
  residentBytes: 5,
  anonBytes: 6,
  fileBytes: 7,
  shmemBytes: 8,
  dataBytes: 9,
  stackBytes: 10,
  executableBytes: 11,
  libraryBytes: 12,
  pageTableBytes: 13,
  pmdBytes: 14,
  swapBytes: 15,
  hugetlbBytes: 16,
  voluntarySwitches: 17,
  involuntarySwitches: 18,
} as const;
export const STATUS_LENGTH = 19;

/** Line by slot. */
const KEYS = [
  'VmPeak',
  'VmSize',
  'VmLck',
  'VmPin',
  'VmHWM',
  'VmRSS',
  'RssAnon',
  'RssFile',
  'RssShmem',
  'VmData',
  'VmStk',
  'VmExe',
  'VmLib',
  'VmPTE',
  'VmPMD',
  'VmSwap',
  'HugetlbPages',
  'voluntary_ctxt_switches',
  'nonvoluntary_ctxt_switches',
].map((key) => Buffer.from(`${key}:`, 'latin1'));
const KIB_END = Buffer.from(' kB\n', 'latin1');
const COUNT_END = Buffer.from('\n', 'latin1');

const NEWLINE = 10;
const TAB = 9;
const SPACE = 32;
const ZERO = 48;
/** Longer numbers are sentinels, or a stranger's. */
const MAX_DIGITS = 15;

/**
 * proc_pid_status(5) in bytes → the slots of `Status` in `out`. A line that the kernel does not print (no MMU, a zombie, VmPMD) and a value
 * that is no number are NaN; of a line that is there twice the first counts.
 * @returns false for a text that is cut before the whole line nonvoluntary_ctxt_switches, after which some architectures print more
 */
export function parseStatusLines(text: Uint8Array, length: number, out: Float64Array): boolean {
  if (length === 0 || text[length - 1] !== NEWLINE) return false;
  out.fill(Number.NaN, 0, STATUS_LENGTH);
  let seen = 0;
  for (let at = 0; at < length; at = text.indexOf(NEWLINE, at) + 1) {
    const slot = slotOf(text, at);
    if (slot < 0 || (seen & (1 << slot)) !== 0) continue;
    seen |= 1 << slot;
    out[slot] = valueAt(text, at + KEYS[slot].length, slot);
  }
  return (seen & (1 << Status.involuntarySwitches)) !== 0;
}

function slotOf(text: Uint8Array, at: number): number {
  for (let slot = 0; slot < KEYS.length; slot++) {
    const key = KEYS[slot];
    if (text[at] === key[0] && startsWith(text, at, key)) return slot;
  }
  return -1;
}

function valueAt(text: Uint8Array, start: number, slot: number): number {
  let at = start;
  while (text[at] === TAB || text[at] === SPACE) at++;
  let value = 0;
  let digits = 0;
  for (let byte = text[at]; byte >= ZERO && byte <= 57; byte = text[++at], digits++) value = value * 10 + (byte - ZERO);
  const isCount = slot >= Status.voluntarySwitches;
  if (digits === 0 || digits > MAX_DIGITS || !startsWith(text, at, isCount ? COUNT_END : KIB_END)) return Number.NaN;
  return isCount ? value : kibToBytes(value);
}

function startsWith(text: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) if (text[at + i] !== word[i]) return false;
  return true;
}

/** Bytes and counts out of /proc/<pid>/status by name; NaN as in `parseStatusLines`. */
export interface ProcessStatus {
  readonly anonBytes: number;
  readonly fileBytes: number;
  readonly shmemBytes: number;
  readonly hugetlbBytes: number;
  readonly swapBytes: number;
  readonly peakResidentBytes: number;
  readonly pageTableBytes: number;
  readonly lockedBytes: number;
  /** Of this one thread; /proc/<pid>/status covers the main thread only. */
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
}

const slots = new Float64Array(STATUS_LENGTH);

/** @returns null where `parseStatusLines` refuses the text */
export function parseStatus(text: string): ProcessStatus | null {
  const bytes = Buffer.from(text, 'latin1');
  if (!parseStatusLines(bytes, bytes.length, slots)) return null;
  return {
    anonBytes: slots[Status.anonBytes],
    fileBytes: slots[Status.fileBytes],
    shmemBytes: slots[Status.shmemBytes],
    hugetlbBytes: slots[Status.hugetlbBytes],
    swapBytes: slots[Status.swapBytes],
    peakResidentBytes: slots[Status.peakResidentBytes],
    pageTableBytes: slots[Status.pageTableBytes],
    lockedBytes: slots[Status.lockedBytes],
    voluntarySwitches: slots[Status.voluntarySwitches],
    involuntarySwitches: slots[Status.involuntarySwitches],
  };
}
