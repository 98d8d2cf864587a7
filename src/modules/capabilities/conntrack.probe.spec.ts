import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { kernelSample } from '../../../test/kernel-samples.js';
import { ProbeHost, stepsOf } from '../../../test/probe-host.js';
import { Outcome } from '../../model/outcome.js';
import { conntrack } from './conntrack.probe.js';

let host: ProbeHost;
beforeEach(() => {
  host = new ProbeHost();
  host.proc.write('1/stat', '1 (init) S 0\n');
});
afterEach(() => host.close());

const tracks = (): void => {
  host.proc.write('sys/net/netfilter/nf_conntrack_count', '10\n');
  host.proc.write('1/net/stat/nf_conntrack', kernelSample('linux-6.18-conntrack/stat'));
};
const find = () => conntrack.find(host.tools);

describe('connections that the kernel tracks', () => {
  it.each(['', 'table'])('are told one by one, however long the table is', async (content) => {
    tracks();
    host.proc.write('1/net/nf_conntrack', content === '' ? '' : kernelSample('linux-6.18-conntrack/table').repeat(5000));
    expect(await find()).toMatchObject({ outcome: Outcome.ok });
  });

  it.each(['EACCES', 'EPERM'] as const)('are not told by zone where %s keeps the table', async (trouble) => {
    tracks();
    host.spoil(/1\/net\/nf_conntrack$/, trouble);
    const finding = await find();
    expect(finding).toMatchObject({ outcome: Outcome.notPermitted, need: 'optional' });
    expect(stepsOf(finding)).toContain('AmbientCapabilities=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH');
  });

  it('are only counted where the kernel has no table', async () => {
    tracks();
    expect(await find()).toMatchObject({ outcome: Outcome.unsupported, need: 'none' });
  });

  it('are only counted where the kernel has neither table nor counters', async () => {
    host.proc.write('sys/net/netfilter/nf_conntrack_count', '10\n');
    const finding = await find();
    expect(finding).toMatchObject({ outcome: Outcome.unsupported, need: 'none' });
    expect(stepsOf(finding)).toContain('grep CONFIG_NF_CONNTRACK_PROCFS /boot/config-$(uname -r)');
  });

  it('are none where the module is not loaded', async () => {
    const finding = await find();
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured, need: 'none' });
    expect(stepsOf(finding)).toEqual(['modprobe nf_conntrack']);
  });

  it('are not known where init cannot be seen', async () => {
    host.spoil(/1\/stat$/, 'EACCES');
    await expect(find()).rejects.toMatchObject({ code: 'EACCES' });
    const hidden = new ProbeHost();
    expect(await conntrack.find(hidden.tools)).toMatchObject({ outcome: Outcome.notPermitted });
    await hidden.close();
  });
});
