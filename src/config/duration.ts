/** Milliseconds of each unit, largest first; a duration is written in this order, each unit at most once (`1m30s`), as in Prometheus. */
const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

// `m` must not take the `m` of `ms`.
const DURATION = /^(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?(?:(\d{1,9})s)?(?:(\d{1,9})ms)?$/;

/** `500ms`, `2s`, `1m30s` or `0`, in milliseconds; undefined when it is none. A number without a unit is none: nobody knows which was meant. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const parts = DURATION.exec(text);
  if (parts === null || text === '') return undefined;
  return UNITS.reduce((sum, [, milliseconds], i) => sum + Number(parts[i + 1] ?? 0) * milliseconds, 0);
}

/** The shortest spelling that `parseDuration` reads back as the same whole number of milliseconds. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return '0s';
  let rest = milliseconds;
  let text = '';
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}
