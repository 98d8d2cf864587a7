import type { Probe } from './probe.js';

/** Seconds of one of four quarters of a turn. */
const QUARTER_SECONDS = 8;

/**
 * Starts that may never come to an end, with a bounded life: they go into one of two maps by turns, and one is emptied a quarter after it
 * was last written to. An entry lives 8 to 24 seconds, and emptying, which bpftrace does later and from outside, meets no fresh one.
 */
export const inFlight = (map: string) => {
  const [even, odd] = [`@${map}_even`, `@${map}_odd`];
  const drop = (which: string, key: string): string => `if (${which}[${key}]) { delete(${which}[${key}]); }`;
  return {
    put: (key: string, value: string): string =>
      `if (@quarter < 2) { ${even}[${key}] = ${value}; ${drop(odd, key)} } else { ${odd}[${key}] = ${value}; ${drop(even, key)} }`,
    get: (key: string, variable: string): string =>
      `${variable} = ${even}[${key}]; if (${variable} == 0) { ${variable} = ${odd}[${key}]; }`,
    drop: (key: string): string => `${drop(even, key)} ${drop(odd, key)}`,
  };
};

/** @param maps all that are in use */
export const turning = (maps: readonly string[]): Probe => ({
  at: [`interval:s:${QUARTER_SECONDS}`],
  when: '',
  first: '@quarter = (@quarter + 1) & 3;',
  body: `
  if (@quarter == 1) { ${maps.map((map) => `clear(@${map}_odd);`).join(' ')} }
  if (@quarter == 3) { ${maps.map((map) => `clear(@${map}_even);`).join(' ')} }`,
});
