import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProbeHost, stepsOf } from '../../../test/probe-host.js';
import { Outcome } from '../../model/outcome.js';
import { bootTime } from './clock.probe.js';
import { pressure } from './pressure.probe.js';
import { descriptorCounts, processIo, schedstat, smaps } from './proc-files.probe.js';

let host: ProbeHost;
beforeEach(async () => {
  host = new ProbeHost();
  host.proc.write('self/stat', 'x');
  await host.addVm('web-1', 100);
});
afterEach(() => host.close());

it.each([schedstat, processIo, smaps])('of $name nobody can tell by a procfs that does not know this agent', async (probe) => {
  rmSync(join(host.proc.root, 'self'), { recursive: true });
  expect(await probe.find(host.tools)).toMatchObject({ outcome: Outcome.gone, need: 'none', affects: [] });
});

describe('descriptor counts', () => {
  it('by size are missing in an older kernel, which costs and hides nothing', async () => {
    host.proc.write('sys/kernel/osrelease', '6.1.0-18-amd64\n');
    const finding = await descriptorCounts.find(host.tools);
    expect(finding).toMatchObject({ outcome: Outcome.unsupported, need: 'none', affects: ['web-1'] });
    expect(finding.detail).toContain('Linux 6.1.0-18-amd64');
  });

  it('work where the kernel tells the number', async () => {
    const { tools } = host;
    expect(await descriptorCounts.find({ ...tools, host: Object.assign(tools.host, { descriptorCountBySize: true }) })).toMatchObject({
      outcome: Outcome.ok,
    });
  });
});

describe('run queue wait', () => {
  it('works where the kernel counts', async () => {
    host.proc.write('self/schedstat', '1209 33 7\n');
    expect(await schedstat.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
  });

  it('is off where not even the time on a CPU is counted', async () => {
    host.proc.write('self/schedstat', '0 0 0\n');
    const finding = await schedstat.find(host.tools);
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured, need: 'optional', affects: ['web-1'] });
    expect(stepsOf(finding)).toEqual(['grep -ow nodelayacct /proc/cmdline']);
  });

  it('is unsupported where there is no such file', async () => {
    expect(await schedstat.find(host.tools)).toMatchObject({ outcome: Outcome.unsupported, need: 'optional' });
  });
});

describe('I/O of processes', () => {
  it('works where the kernel counts it and shows it', async () => {
    host.proc.write('self/io', 'rchar: 1\n');
    expect(await processIo.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
  });

  it('is unsupported where there is no such file', async () => {
    expect(await processIo.find(host.tools)).toMatchObject({ outcome: Outcome.unsupported, affects: ['web-1'] });
  });

  it('is refused where it is refused of a VM', async () => {
    host.proc.write('self/io', 'rchar: 1\n');
    host.pretend('io', Outcome.notPermitted);
    expect(await processIo.find(host.tools)).toMatchObject({ outcome: Outcome.notPermitted, need: 'required', affects: ['web-1'] });
  });
});

describe('memory maps', () => {
  const off = (): object => ({
    ...host.tools,
    collectors: host.tools.collectors.map((state) => ({ ...state, enabled: state.collector.about.name !== 'pss' })),
  });

  it('are unsupported in an older kernel', async () => {
    expect(await smaps.find(host.tools)).toMatchObject({ outcome: Outcome.unsupported, need: 'none' });
  });

  it('are not asked for where the collector is off', async () => {
    host.proc.write('self/smaps_rollup', 'Rss: 1 kB\n');
    const finding = await smaps.find({ ...host.tools, ...off() });
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured, need: 'none' });
    expect(stepsOf(finding)).toEqual(['--collector.pss']);
  });

  it('work where the collector is on', async () => {
    host.proc.write('self/smaps_rollup', 'Rss: 1 kB\n');
    expect(await smaps.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
  });
});

describe('pressure', () => {
  it('works where the kernel tells it', async () => {
    host.proc.write('pressure/cpu', 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n');
    expect(await pressure.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
  });

  it('was switched off at boot where the file is there and gives nothing', async () => {
    host.spoil(/pressure\/cpu$/, 'EOPNOTSUPP');
    const finding = await pressure.find(host.tools);
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured });
    expect(stepsOf(finding)).toEqual(['psi=1']);
  });

  it('is unsupported where there is no file', async () => {
    expect(await pressure.find(host.tools)).toMatchObject({ outcome: Outcome.unsupported });
  });
});

describe('the boot', () => {
  it('is told by a whole procfs', async () => {
    expect(await bootTime.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
  });

  it.each([
    ['bootId', 'no sys/kernel/random/boot_id'],
    ['bootMs', 'no btime in stat'],
  ])('is not told without %s', async (member, words) => {
    const { tools } = host;
    const finding = await bootTime.find({ ...tools, host: Object.assign(tools.host, { [member]: null }) });
    expect(finding).toMatchObject({ outcome: Outcome.gone, need: 'required', detail: expect.stringContaining(words) });
  });
});
