import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, kernelSample, truncations } from '../../../test/kernel-samples.js';
import { parseIoMax, parseIoStat, parseServiced, parseThrottle } from './io-stat.js';

const STAT = kernelSample('cgroup-v2-6.1/scope/io.stat');
const MAX = kernelSample('cgroup-v2-6.1/scope/io.max');
const BYTES = kernelSample('cgroup-v1-6.18/blkio/io_service_bytes');
const THROTTLE = kernelSample('cgroup-v1-6.18/blkio/write_bps_device');
const SENTINEL = '18446744073709551615';

const usage = { readBytes: 6422528, writeBytes: 2097152, discardBytes: 0, readOperations: 49, writeOperations: 513, discardOperations: 0 };

describe('io.stat', () => {
  it('has what was done at each device', () => {
    expect(parseIoStat(STAT)).toEqual(new Map([['254:0', usage]]));
    expect(parseIoStat('')).toEqual(new Map());
  });

  it('has devices that were never used in the line of another one, on kernels that do not end their lines', () => {
    const devices = parseIoStat(`7:1 7:0 254:0 rbytes=1 wbytes=2\n8:0 \n8:16 rbytes=5\n`);
    expect([...(devices?.keys() ?? [])]).toEqual(['7:1', '7:0', '254:0', '8:0', '8:16']);
    expect(devices?.get('7:0')?.readBytes).toBeNaN();
    expect(devices?.get('254:0')).toMatchObject({ readBytes: 1, writeBytes: 2, readOperations: Number.NaN });
    expect(devices?.get('8:16')).toMatchObject({ readBytes: 5 });
  });

  it('says what io.cost and io.latency add, too', () => {
    const text = '254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6 cost.vrate=100.00 use_delay=0 depth=max\n';
    expect(parseIoStat(text)?.get('254:0')).toEqual({
      ...{ readBytes: 1, writeBytes: 2, discardBytes: 5, readOperations: 3, writeOperations: 4, discardOperations: 6 },
    });
  });

  it('has no number where the kernel has none', () => {
    const numbers = parseIoStat(`254:0 rbytes=${SENTINEL} wbytes=2\n`)?.get('254:0');
    expect(numbers?.readBytes).toBeNaN();
    expect(numbers?.writeBytes).toBe(2);
  });

  it.each([
    'x\n',
    '\n',
    ' \n',
    'rbytes=1\n',
    '254:0 rbytes\n',
    '254:0 rbytes=\n',
    '254:0 rbytes=-1\n',
    '254:0 rbytes=max\n',
    '254 rbytes=1\n',
  ])('%j is none', (text) => expect(parseIoStat(text)).toBeNull());
});

describe('io.max', () => {
  it('has a number for each limit that is set', () => {
    const none = Number.NaN;
    expect(parseIoMax(MAX)).toEqual(
      new Map([['254:0', { readBytes: 4194304, writeBytes: 4194304, readOperations: none, writeOperations: none }]]),
    );
    expect(parseIoMax('')).toEqual(new Map());
  });

  it.each(['254:0 rbps=x\n', '254:0 max\n', 'max\n'])('%j is none', (text) => expect(parseIoMax(text)).toBeNull());
});

describe('files of version 1', () => {
  it('have reads, writes and discards of each device', () => {
    expect(parseServiced(BYTES)).toEqual(new Map([['254:0', { read: 122880, write: 6291456, discard: 0 }]]));
    expect(parseServiced('Total 0\n')).toEqual(new Map());
  });

  it('have no discards before Linux 4.20', () => {
    expect(parseServiced('8:0 Read 1\n8:0 Write 2\n8:0 Total 3\nTotal 3\n')?.get('8:0')).toEqual({
      read: 1,
      write: 2,
      discard: Number.NaN,
    });
  });

  it('have a limit a line', () => {
    expect(parseThrottle(THROTTLE)).toEqual(new Map([['254:0', 4194304]]));
    expect(parseThrottle('')).toEqual(new Map());
    expect(parseThrottle(`254:0 ${SENTINEL}\n`)?.get('254:0')).toBeNaN();
  });

  it.each(['', 'Total\n', '8:0 Read 1\n', '8:0 Read x\nTotal 1\n', 'Total 0\nTotal 0\n'])('%j is no io_serviced', (text) =>
    expect(parseServiced(text)).toBeNull(),
  );
  it.each(['8:0\n', '8:0 max\n', '8:0 1 2\n', '\n'])('%j is no limit', (text) => expect(parseThrottle(text)).toBeNull());
});

const PARSERS: readonly (readonly [string, string, (text: string) => ReadonlyMap<string, unknown> | null])[] = [
  ['io.stat', `${STAT}8:0 rbytes=1\n`, parseIoStat],
  ['io.max', `${MAX}8:0 rbps=1 wbps=2\n`, parseIoMax],
  ['io_service_bytes', BYTES, parseServiced],
  ['write_bps_device', `${THROTTLE}8:0 55\n`, parseThrottle],
];

describe.each(PARSERS)('%s', (_, text, parse) => {
  it('is whole lines or nothing, wherever it is cut', () => {
    const whole = parse(text) ?? expect.fail('the sample is none');
    for (const cut of truncations(text)) {
      const devices = parse(cut);
      if (devices) for (const [device, numbers] of devices) expect(whole.get(device)).toEqual(numbers);
      else expect(cut.endsWith('\n') && parse !== parseServiced).toBe(false);
    }
  });

  it('may be anything', () => {
    fc.assert(
      fc.property(anyText, (any) => {
        parse(any);
        parse(`${any}\n`);
      }),
    );
  });
});
