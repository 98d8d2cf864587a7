/** Numbers as people read them; a dash for what is not known. */

export const UNKNOWN = '–';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `1.5 GiB`: three digits, binary units. */
export function bytes(count: number | null): string {
  if (count === null) return UNKNOWN;
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, count)) / 10)));
  const value = count / 1024 ** power;
  const digits = power === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${trim(value.toFixed(digits))} ${UNITS[power]}`;
}

export const bytesPerSecond = (rate: number | null): string => (rate === null ? UNKNOWN : `${bytes(rate)}/s`);

/** CPUs in use: `0.04`, `3.2`. */
export const cores = (value: number | null): string => (value === null ? UNKNOWN : value.toFixed(value >= 10 ? 1 : 2));

export const count = (value: number | null): string => (value === null ? UNKNOWN : String(value));

/** `1 process`, `12 processes`. */
export const some = (value: number, one: string, many = `${one}s`): string => `${value.toLocaleString('en')} ${value === 1 ? one : many}`;

const trim = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);
