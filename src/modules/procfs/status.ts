import { kibToBytes } from '../../model/units.js';

/** Bytes and counts out of /proc/<pid>/status; a line the kernel does not print (no MMU, no swap, zombie) is NaN. */
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

/**
 * proc_pid_status(5), memory lines in kB, which are KiB.
 * @returns null for a text that is cut before the whole line nonvoluntary_ctxt_switches, after which some architectures print more
 */
export function parseStatus(text: string): ProcessStatus | null {
  const involuntary = /\nnonvoluntary_ctxt_switches:\s+(\d+)\n(?:.*\n)*$/.exec(text)?.[1];
  if (involuntary === undefined) return null;
  const lines = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0 && !lines.has(line.slice(0, colon))) lines.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const bytes = (key: string): number => {
    const match = /^(\d{1,15}) kB$/.exec(lines.get(key) ?? '');
    return match ? kibToBytes(Number(match[1])) : Number.NaN;
  };
  const count = (key: string): number => {
    const match = /^(\d{1,15})$/.exec(lines.get(key) ?? '');
    return match ? Number(match[1]) : Number.NaN;
  };
  return {
    anonBytes: bytes('RssAnon'),
    fileBytes: bytes('RssFile'),
    shmemBytes: bytes('RssShmem'),
    hugetlbBytes: bytes('HugetlbPages'),
    swapBytes: bytes('VmSwap'),
    peakResidentBytes: bytes('VmHWM'),
    pageTableBytes: bytes('VmPTE'),
    lockedBytes: bytes('VmLck'),
    voluntarySwitches: count('voluntary_ctxt_switches'),
    involuntarySwitches: count('nonvoluntary_ctxt_switches'),
  };
}
