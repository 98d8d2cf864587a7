import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProbeHost, stepsOf } from '../../../test/probe-host.js';
import { Outcome } from '../../model/outcome.js';
import { descriptorLimit, inotify } from './limits.probe.js';

let host: ProbeHost;
beforeEach(() => {
  host = new ProbeHost();
});
afterEach(() => host.close());

describe('the limit of open files', () => {
  const limit = (soft: number | string): void =>
    host.proc.write(
      'self/limits',
      `Limit Soft Hard Units\nMax open files            ${soft}                 ${soft}                 files     \n`,
    );

  it.each([65536, 'unlimited'])('of %s is enough for a host without VMs', async (soft) => {
    limit(soft);
    expect(await descriptorLimit.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
  });

  it('is enough or not by the number of VMs, sandboxes more than others', async () => {
    limit(256);
    expect(await descriptorLimit.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
    await host.addVm('one', 100);
    const finding = await descriptorLimit.find(host.tools);
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured, need: 'optional', detail: expect.stringContaining('need 264') });
    expect(stepsOf(finding)).toEqual(['LimitNOFILE=65536', '--ulimit=nofile=65536:65536', 'ulimit -n 65536']);
    await host.addVm('pod', 200, { sandbox: { vmmInShim: false } });
    expect((await descriptorLimit.find(host.tools)).detail).toContain('need 284');
  });

  it('that cannot be read is no number', async () => {
    expect(await descriptorLimit.find(host.tools)).toMatchObject({ outcome: Outcome.gone, need: 'none' });
    host.proc.write('self/limits', 'Max open files  12');
    expect(await descriptorLimit.find(host.tools)).toMatchObject({ outcome: Outcome.malformed });
  });
});

describe('inotify', () => {
  it('works where a watch is given', async () => {
    host.proc.write('run/x', '');
    expect(await inotify.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
  });

  it.each([
    ['ENOSPC', 'max_user_watches'],
    ['EMFILE', 'max_user_instances'],
  ] as const)('with %s wants a higher %s', async (trouble, limit) => {
    host.spoil(/run$/, trouble);
    host.proc.write(`sys/fs/inotify/${limit}`, '128\n');
    const finding = await inotify.find(host.tools);
    expect(finding).toMatchObject({ outcome: Outcome.busy, need: 'optional', detail: expect.stringContaining(`fs.inotify.${limit}=128`) });
    expect(stepsOf(finding)).toEqual([`sysctl -w fs.inotify.${limit}=256`]);
  });

  it('wants a run directory', async () => {
    expect(await inotify.find(host.tools)).toMatchObject({ outcome: Outcome.gone, detail: `${host.proc.root}/run is not there` });
  });

  it('does not guess what else may be wrong', async () => {
    host.spoil(/run$/, 'EIO');
    await expect(Promise.resolve(inotify.find(host.tools))).rejects.toThrow('EIO');
  });
});
