const SUFFIXES = 'bkmgtpe';
const SIZE = /^(\d{1,16})(\.\d{1,9})?([bkmgtpe]?)$/i;
const COUNT = /^\d{1,9}$/;
/** Nothing has more physical address bits (x86-64, aarch64). */
const MAX_BYTES = 2 ** 52;
/** KVM's own limit of vCPUs is 4,096 on x86, tun's of queues 256: a larger number counts neither. */
const MAX_COUNT = 65_535;

/**
 * `2G`, `131072k`, `1.5g`, `134217728` → bytes; suffixes are powers of 1024.
 * @param unitBytes what a number without suffix counts: 1, or 1024 * 1024 for QEMU's -m
 * @returns undefined for anything else, for 0, and for more than a host can have
 */
export function parseSize(text: string | undefined, unitBytes: number): number | undefined {
  const match = SIZE.exec(text ?? '');
  if (!match) return undefined;
  const unit = match[3] === '' ? unitBytes : 1024 ** SUFFIXES.indexOf(match[3].toLowerCase());
  const bytes = Math.floor(Number(match[1] + (match[2] ?? '')) * unit);
  return bytes > 0 && bytes <= MAX_BYTES ? bytes : undefined;
}

/** How many vCPUs, parts of their topology, or queues; undefined for 0 and for anything that is no such number. */
export function parseCount(text: string | undefined): number | undefined {
  const count = COUNT.test(text ?? '') ? Number(text) : 0;
  return count > 0 && count <= MAX_COUNT ? count : undefined;
}

/** A descriptor number; undefined for the name of a descriptor that was handed over by getfd. */
export const parseDescriptor = (text: string | undefined): number | undefined => (COUNT.test(text ?? '') ? Number(text) : undefined);
