import { SENTINEL } from '../procfs/numbers.js';

/** What a cgroup and all that is in it did at one block device. In this order everywhere. */
export const IO_COUNTERS = ['readBytes', 'writeBytes', 'discardBytes', 'readOperations', 'writeOperations', 'discardOperations'] as const;
export type IoCounter = (typeof IO_COUNTERS)[number];
/** What can be limited at one block device, each per second. In this order everywhere. */
export const IO_LIMITS = ['readBytes', 'writeBytes', 'readOperations', 'writeOperations'] as const;
export type IoLimit = (typeof IO_LIMITS)[number];

/** A number of each word; one that is not told, or a limit that is not set, is NaN. */
export type DeviceNumbers<Word extends string> = Record<Word, number>;
/** By `major:minor` of the device. */
export type ByDevice<T> = ReadonlyMap<string, T>;

const DEVICE = /^\d{1,10}:\d{1,10}$/;
const NUMBER = /^\d{1,20}$/;
/** `cost.usage=12` and whatever else a controller has to say. */
const OTHER = /^[a-z_.]+=[^ =]*$/;

const COUNTER_KEYS: Readonly<Record<string, IoCounter>> = {
  rbytes: 'readBytes',
  wbytes: 'writeBytes',
  dbytes: 'discardBytes',
  rios: 'readOperations',
  wios: 'writeOperations',
  dios: 'discardOperations',
};
const LIMIT_KEYS: Readonly<Record<string, IoLimit>> = {
  rbps: 'readBytes',
  wbps: 'writeBytes',
  riops: 'readOperations',
  wiops: 'writeOperations',
};

export const noNumbers = <Word extends string>(words: readonly Word[]): DeviceNumbers<Word> =>
  // Object.fromEntries forgets the keys' names; they are those of `words`.
  Object.fromEntries(words.map((word) => [word, Number.NaN])) as DeviceNumbers<Word>;

/**
 * `io.stat` of version 2 (kernel, Documentation/admin-guide/cgroup-v2.rst): `254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`. A device
 * at which nothing was done has no line. Some kernels begin its line all the same and do not end it: then several devices stand in one.
 * @returns null for a text that is cut or holds anything else
 */
export const parseIoStat = (text: string): ByDevice<DeviceNumbers<IoCounter>> | null => parseKeyed(text, COUNTER_KEYS, IO_COUNTERS, false);

/** `io.max` of version 2: `254:0 rbps=4194304 wbps=max riops=max wiops=max`; no line for a device without a limit. @returns as parseIoStat */
export const parseIoMax = (text: string): ByDevice<DeviceNumbers<IoLimit>> | null => parseKeyed(text, LIMIT_KEYS, IO_LIMITS, true);

function parseKeyed<Word extends string>(
  text: string,
  keys: Readonly<Record<string, Word>>,
  words: readonly Word[],
  mayBeMax: boolean,
): ByDevice<DeviceNumbers<Word>> | null {
  const devices = new Map<string, DeviceNumbers<Word>>();
  for (const line of linesOf(text) ?? [INVALID]) {
    let numbers: DeviceNumbers<Word> | undefined;
    for (const token of line.split(' ')) {
      // A line may end in a blank.
      if (token === '' && numbers) continue;
      if (DEVICE.test(token)) {
        numbers = devices.get(token) ?? noNumbers(words);
        devices.set(token, numbers);
        continue;
      }
      if (!numbers || !OTHER.test(token)) return null;
      const [key, value] = token.split('=');
      if (!Object.hasOwn(keys, key)) continue;
      if (mayBeMax && value === 'max') continue;
      if (!NUMBER.test(value)) return null;
      numbers[keys[key]] = known(value);
    }
  }
  return devices;
}

export interface Directions {
  readonly read: number;
  readonly write: number;
  readonly discard: number;
}

const SERVICED = /^(\d{1,10}:\d{1,10}) ([A-Z][a-z]+) (\d{1,20})$/;
const TOTAL = /^Total \d{1,20}$/;

/**
 * `blkio.throttle.io_service_bytes` and `io_serviced` of version 1, `_recursive` or not (kernel, Documentation/admin-guide/cgroup-v1/
 * blkio-controller.rst): `254:0 Read 1`, lines for Write, Sync, Async, Discard (since Linux 4.20) and Total, and the Total of all at the end.
 * @returns null for a text that is cut or holds anything else
 */
export function parseServiced(text: string): ByDevice<Directions> | null {
  const lines = linesOf(text);
  if (!TOTAL.test(lines?.pop() ?? '')) return null;
  const devices = new Map<string, { read: number; write: number; discard: number }>();
  for (const line of lines ?? []) {
    const [, device, direction, digits] = SERVICED.exec(line) ?? [];
    if (device === undefined || direction === undefined || digits === undefined) return null;
    const numbers = devices.get(device) ?? { read: Number.NaN, write: Number.NaN, discard: Number.NaN };
    devices.set(device, numbers);
    if (direction === 'Read') numbers.read = known(digits);
    if (direction === 'Write') numbers.write = known(digits);
    if (direction === 'Discard') numbers.discard = known(digits);
  }
  return devices;
}

/** `blkio.throttle.{read,write}_{bps,iops}_device` of version 1: `254:0 4194304`, a line for each limit. @returns as parseServiced */
export function parseThrottle(text: string): ByDevice<number> | null {
  const limits = new Map<string, number>();
  for (const line of linesOf(text) ?? [INVALID]) {
    const [device, digits, ...rest] = line.split(' ');
    if (rest.length > 0 || !DEVICE.test(device) || digits === undefined || !NUMBER.test(digits)) return null;
    limits.set(device, known(digits));
  }
  return limits;
}

/** No line of any of these files. */
const INVALID = '?';

/** None of an empty text; null for one whose last line has no end. */
function linesOf(text: string): string[] | null {
  if (text === '') return [];
  return text.endsWith('\n') ? text.slice(0, -1).split('\n') : null;
}

const known = (digits: string): number => (Number(digits) < SENTINEL ? Number(digits) : Number.NaN);
