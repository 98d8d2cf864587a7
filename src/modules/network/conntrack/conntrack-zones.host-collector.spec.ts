import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../../test/fake-proc.js';
import { kernelSample } from '../../../../test/kernel-samples.js';
import { Outcome } from '../../../model/outcome.js';
import { Settings } from '../../../model/settings.js';
import { ConntrackZonesHostCollector } from './conntrack-zones.host-collector.js';
import { HostConntrack } from './host-conntrack.js';

const STAT = kernelSample('linux-6.18-conntrack/stat');
const TABLE = kernelSample('linux-6.18-conntrack/table');
const MINUTE_MS = 60_000;

let proc: FakeProc;
let settings: Settings;
let collector: ConntrackZonesHostCollector;
beforeEach(() => {
  proc = new FakeProc();
  settings = new Settings();
  const host = proc.host();
  collector = new ConntrackZonesHostCollector(host, settings, new HostConntrack(host));
  proc.write('1/net/stat/nf_conntrack', STAT);
  proc.write('1/net/nf_conntrack', TABLE);
});
afterEach(() => proc.close());

const samples = (): readonly string[] =>
  collector.families().flatMap(({ name, samples: made }) => [...made()].map(({ labels, value }) => `${name}{${labels}} ${value}`));
const GOOD = [
  'vmgauge_conntrack_zone_entries{zone="0"} 3',
  'vmgauge_conntrack_zone_entries{zone="5"} 3',
  'vmgauge_conntrack_zone_entries{zone="65520"} 4',
  'vmgauge_conntrack_zone_unlisted_entries{reason="malformed"} 0',
  'vmgauge_conntrack_zone_unlisted_entries{reason="too_many_zones"} 0',
];

describe('connections by zone', () => {
  it('are counted, all of them', async () => {
    expect(samples()).toEqual([]);
    expect(await collector.read()).toBe(Outcome.ok);
    expect(samples()).toEqual(GOOD);
  });

  it('are none where none are tracked', async () => {
    proc.write('1/net/nf_conntrack', '');
    expect(await collector.read()).toBe(Outcome.ok);
    expect(samples()).toEqual(GOOD.slice(3));
  });

  it.each([
    ['unsupported where the kernel was built without the table', () => rmSync(join(proc.root, '1/net/nf_conntrack')), Outcome.unsupported],
    ['not configured where nothing is tracked', () => rmSync(join(proc.root, '1/net/stat/nf_conntrack')), Outcome.notConfigured],
    ['malformed where no line is an entry', () => proc.write('1/net/nf_conntrack', 'x\ny\n'), Outcome.malformed],
    ['malformed where a line has no end', () => proc.write('1/net/nf_conntrack', 'x'.repeat(100_000)), Outcome.malformed],
    ['too large where the count says so beforehand', () => Object.assign(settings, { conntrackZonesMaxEntries: 9 }), Outcome.tooLarge],
    [
      'too large where the table has grown beyond it since',
      () => {
        settings.conntrackZonesMaxEntries = 10;
        proc.write('1/net/nf_conntrack', TABLE.repeat(2));
      },
      Outcome.tooLarge,
    ],
  ])('are %s, and have no sample then', async (_, damage, outcome) => {
    await collector.read();
    damage();
    expect(await collector.read()).toBe(outcome);
    expect(samples()).toEqual([]);
    expect(collector.intervalMs).toBe(MINUTE_MS);
  });

  it('show lines that do not parse beside those that do', async () => {
    proc.write('1/net/nf_conntrack', `${TABLE}x\n`);
    expect(await collector.read()).toBe(Outcome.ok);
    expect(samples()).toEqual([...GOOD.slice(0, 3), GOOD[3].replace(/0$/, '1'), GOOD[4]]);
  });

  it('are given up after five seconds, and left alone for ten intervals', async () => {
    await collector.read();
    // A machine on which every look at the clock is two seconds later.
    const { clock } = proc;
    const monotonic = clock.monotonic.bind(clock);
    clock.monotonic = () => {
      clock.ms += 2000;
      return monotonic();
    };
    proc.write('1/net/nf_conntrack', TABLE.repeat(100));
    settings.conntrackZonesMaxEntries = 10_000;
    expect(await collector.read()).toBe(Outcome.timeout);
    expect(samples()).toEqual([]);
    expect(collector.intervalMs).toBe(10 * MINUTE_MS);
    clock.monotonic = monotonic;
    expect(await collector.read()).toBe(Outcome.ok);
    expect(collector.intervalMs).toBe(MINUTE_MS);
  });

  it('are not walked through any further once the agent stops', async () => {
    proc.write('1/net/nf_conntrack', TABLE.repeat(100));
    const walk = collector.read();
    collector.close();
    expect(await walk).not.toBe(Outcome.ok);
  });
});
