import { Outcome } from '../../model/outcome.js';
import { fix, lacks, type Probe, works } from './capability.js';
import { giveRights } from './fixes.js';
import { unlessGone } from './own-process.js';
import { codeOf, type ProbeTools } from './probe-tools.js';

/** Whether the kernel tells of the connections it tracks. */
export const conntrack: Probe = {
  name: 'conntrack',
  gives: 'tracked connections of the host, by zone too, and of VMs that have a network namespace of their own',
  collectors: ['instance_conntrack', 'conntrack', 'conntrack_zones'],
  need: 'optional',
  find: async (tools) => {
    const { host, look } = tools;
    if ((await unlessGone(look.text(host.proc('1', 'net', 'stat', 'nf_conntrack')))) === null) return withoutCounters(tools);
    const table = host.proc('1', 'net', 'nf_conntrack');
    switch (await tableOf(table, tools)) {
      case 'there':
        return works('the kernel tells of the connections it tracks, one by one too');
      case 'refused':
        return lacks(Outcome.notPermitted, {
          detail: `connections are counted, and not by zone: ${table} may not be read`,
          need: 'optional',
          fix: giveRights,
        });
      default:
        return lacks(Outcome.unsupported, {
          detail: `connections are counted, and not by zone: there is no ${table}`,
          need: 'none',
          fix: otherKernel,
        });
    }
  },
};

const otherKernel = fix(
  'Run a kernel that is built with CONFIG_NF_CONNTRACK_PROCFS. The mere count is known without it, in the network namespace of the host.',
  ['shell', 'grep CONFIG_NF_CONNTRACK_PROCFS /boot/config-$(uname -r)'],
  ['docker run', '--network=host'],
  ['kubernetes', 'hostNetwork: true'],
  ['systemd unit', 'PrivateNetwork=no'],
);

async function withoutCounters({ host, look }: ProbeTools) {
  if (!(await look.isThere(host.proc('1', 'stat')))) {
    return lacks(Outcome.notPermitted, {
      ...{ detail: 'the first process, whose network namespace is the host’s, cannot be seen', need: 'optional', fix: giveRights },
    });
  }
  if (await look.isThere(host.proc('sys', 'net', 'netfilter', 'nf_conntrack_count'))) {
    return lacks(Outcome.unsupported, {
      detail:
        'the kernel was built without CONFIG_NF_CONNTRACK_PROCFS: how many connections there are is all it tells, and only of the agent’s own namespace',
      need: 'none',
      fix: otherKernel,
    });
  }
  return lacks(Outcome.notConfigured, {
    detail: 'no connections are tracked: nf_conntrack is not loaded',
    need: 'none',
    fix: fix('Load it, where it is wanted; a firewall or a switch that keeps state does so itself.', ['shell', 'modprobe nf_conntrack']),
  });
}

/** The first page of the table tells; how long it is, is no concern here. */
async function tableOf(path: string, { look }: ProbeTools): Promise<'there' | 'refused' | 'missing'> {
  try {
    return (await unlessGone(look.text(path, 0))) === null ? 'missing' : 'there';
  } catch (error) {
    if (codeOf(error) === 'EFBIG') return 'there';
    if (codeOf(error) === 'EACCES' || codeOf(error) === 'EPERM') return 'refused';
    throw error;
  }
}
