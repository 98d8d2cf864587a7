import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { statLine } from '../../../test/fake-proc.js';
import { ProbeHost, stepsOf } from '../../../test/probe-host.js';
import { Outcome } from '../../model/outcome.js';
import { delayAccounting } from './delay-accounting.probe.js';

let host: ProbeHost;
beforeEach(() => {
  host = new ProbeHost();
});
afterEach(() => host.close());

const say = (text: string): void => host.proc.write('sys/kernel/task_delayacct', text);
const find = () => delayAccounting.find(host.tools);

describe('delay of block I/O', () => {
  it('is counted where the switch is on', async () => {
    say('1\n');
    await host.addVm('one', 100);
    expect(await find()).toMatchObject({ outcome: Outcome.ok });
  });

  it('is not counted where it is off, and then not for VMs that run by then', async () => {
    say('0\n');
    expect(await find()).toMatchObject({ outcome: Outcome.notConfigured, need: 'none', affects: [] });
    await host.addVm('one', 100);
    const finding = await find();
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured, need: 'optional', affects: ['one'] });
    expect(stepsOf(finding)).toEqual(['sysctl -w kernel.task_delayacct=1', 'delayacct']);
    say('1\n');
    host.pretend('block_io_delay', Outcome.notConfigured);
    const later = await find();
    expect(later).toMatchObject({ outcome: Outcome.notConfigured, affects: ['one'] });
    expect(stepsOf(later)).toEqual(['delayacct']);
  });

  it('is counted on an older kernel where init shows it', async () => {
    expect(await find()).toMatchObject({ outcome: Outcome.unsupported, need: 'none' });
    const fields = statLine({ pid: 1, comm: 'init' }).split(' ');
    host.proc.write('1/stat', fields.join(' '));
    expect(await find()).toMatchObject({ outcome: Outcome.unsupported });
    fields[41] = '7';
    host.proc.write('1/stat', fields.join(' '));
    expect(await find()).toMatchObject({ outcome: Outcome.ok });
  });

  it.each(['', '2\n', 'on'])('is a riddle where the switch says %j', async (text) => {
    say(text);
    expect(await find()).toMatchObject({ outcome: Outcome.malformed });
  });

  it.each(['EACCES', 'EIO'] as const)('is not said to be off where the switch cannot be read for %s', async (code) => {
    say('1\n');
    host.spoil(/task_delayacct/, code);
    await expect(find()).rejects.toMatchObject({ code });
  });
});
