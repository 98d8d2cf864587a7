import { Outcome } from '../../model/outcome.js';
import { type Finding, fix, lacks, type Probe, type Step, works } from './capability.js';
import { unlessGone } from './own-process.js';
import { affected, codeOf, type ProbeTools, some } from './probe-tools.js';

const BOOT: Step = { where: 'kernel command line', line: 'psi=1' };

/** Whether the kernel tells how long tasks stalled, of the host and of the VMs' own cgroups. */
export const pressure: Probe = {
  name: 'pressure',
  gives: 'how long the host, and VMs with a cgroup of their own, stalled for lack of CPU, memory or I/O (PSI)',
  collectors: ['pressure', 'host_pressure'],
  need: 'optional',
  find: async (tools) => {
    const { host, look } = tools;
    try {
      if ((await unlessGone(look.text(host.proc('pressure', 'cpu')))) !== null) return ofVms(tools);
    } catch (error) {
      if (codeOf(error) !== 'EOPNOTSUPP') throw error;
      return lacks(Outcome.notConfigured, {
        detail: 'the kernel has PSI, and it was switched off when it booted',
        need: 'none',
        fix: { text: 'Switch it on at the next boot.', steps: [BOOT] },
      });
    }
    return lacks(Outcome.unsupported, {
      detail: 'the kernel has no PSI, or it was not switched on when it booted',
      need: 'none',
      fix: {
        text: 'Switch it on at the next boot; that takes Linux 4.20 or later, built with CONFIG_PSI.',
        steps: [BOOT, { where: 'shell', line: 'grep CONFIG_PSI /boot/config-$(uname -r)' }],
      },
    });
  },
};

/** The host has it; whether VMs have depends on their cgroups. */
function ofVms(tools: ProbeTools): Finding {
  const without = affected(tools, ['pressure'], Outcome.notConfigured);
  const unseen = affected(tools, ['pressure'], Outcome.unsupported);
  if (without.length > 0)
    return lacks(Outcome.notConfigured, {
      detail: `the kernel tells it of the host; ${some(without.length, 'VM')} ${without.length === 1 ? 'has no cgroup of its own' : 'have no cgroup of their own'} in version 2 that tells it`,
      need: 'optional',
      affects: without,
      fix: fix('Start each VM in a cgroup of its own, as libvirt and Kata do.', ['shell', 'systemd-run --scope VMM']),
    });
  if (unseen.length > 0)
    return lacks(Outcome.unsupported, {
      detail: 'the kernel tells it of the host; of VMs only with cgroups of version 2, and there are none',
      need: 'optional',
      affects: unseen,
      fix: fix('Mount version 2 beside version 1, or boot with it alone.', ['kernel command line', 'systemd.unified_cgroup_hierarchy=1']),
    });
  return works('the kernel tells it');
}
