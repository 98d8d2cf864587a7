import { SENTINEL } from '../procfs/numbers.js';
import type { Parse } from './parsed-file.js';

/** In the order of their names. NaN is what is not told, Infinity that there is no limit: neither ever becomes a cell. */
export type Numbers = readonly number[];

/**
 * The texts of cgroup files that hold limits and what is used of them (kernel, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/).
 * null for a text that is cut or holds anything else.
 */
type NumbersOf = Parse<Numbers>;

const NUMBER = /^(\d{1,20})\n$/;
const LIMIT = /^(?:(\d{1,20})|max|-1)\n$/;
const CPU_MAX = /^(?:(\d{1,20})|max) (\d{1,20})\n$/;
const LINES = /^(?:[a-z][a-z0-9_]* \d{1,20}\n)+$/;
/** Version 1 has no word for "no limit" of memory but the most that its pages can count, 2^63 less a page; a page has at most 64 KiB. */
const NO_LIMIT_FROM = 2 ** 63 - 2 ** 17;

const amount = (digits: string | undefined): number => (digits === undefined || Number(digits) >= SENTINEL ? Number.NaN : Number(digits));
const limit = (digits: string | undefined): number =>
  digits === undefined || Number(digits) >= NO_LIMIT_FROM ? Number.POSITIVE_INFINITY : Number(digits);

export const AMOUNT: NumbersOf = (text) => {
  const found = NUMBER.exec(text);
  return found && [amount(found[1])];
};

/** A number, or `max`, or what version 1 says for it. */
export const AMOUNT_OR_NONE: NumbersOf = (text) => {
  const found = LIMIT.exec(text);
  return found && [limit(found[1])];
};

/** `cpu.max`: quota and period, microseconds. */
export const CPU_MAX_PAIR: NumbersOf = (text) => {
  const found = CPU_MAX.exec(text);
  return found && [limit(found[1]), amount(found[2])];
};

/** Whole microseconds of a number of nanoseconds, which passes 2^53 after 104 days: cut before it is a number. */
export const NANOSECONDS: NumbersOf = (text) => {
  const found = NUMBER.exec(text);
  return found && [Number.isNaN(amount(found[1])) ? Number.NaN : Number(found[1].slice(0, -3))];
};

/** Lines of a name and a number each, of which these are wanted; NaN for one that is not there. */
export function numbersNamed(...names: readonly string[]): NumbersOf {
  const lines = names.map((name) => new RegExp(`^${name} (\\d+)$`, 'm'));
  return (text) => (LINES.test(text) ? lines.map((line) => amount(line.exec(text)?.[1])) : null);
}
