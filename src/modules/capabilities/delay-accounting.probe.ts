import { Outcome } from '../../model/outcome.js';
import { DELAY_SWITCH, delayShown, delaySwitched } from '../procfs/delay-accounting.js';
import { type Finding, fix, lacks, type Probe, works } from './capability.js';
import { readLog } from './fixes.js';
import { unlessGone } from './own-process.js';
import { affected, idsOf, isOn, type ProbeTools, running, some } from './probe-tools.js';

/** Whether the kernel counts how long tasks wait for block I/O. */
export const delayAccounting: Probe = {
  name: 'delay_accounting',
  gives: 'how long threads of a VMM waited for block I/O',
  collectors: ['block_io_delay'],
  need: 'optional',
  find: async (tools) => {
    const { host, look } = tools;
    const text = await unlessGone(look.text(host.proc(...DELAY_SWITCH)));
    if (text === null) return withoutSwitch((await unlessGone(look.text(host.proc('1', 'stat')))) ?? '');
    const outcome = delaySwitched(text);
    if (outcome === Outcome.ok) return switchedOn(tools);
    if (outcome !== Outcome.notConfigured)
      return lacks(Outcome.malformed, { detail: 'kernel.task_delayacct is neither 0 nor 1', need: 'optional', fix: readLog });
    const affects = isOn(tools, 'block_io_delay') ? idsOf(running(tools)) : [];
    return lacks(Outcome.notConfigured, {
      detail: 'the kernel can count it and does not: kernel.task_delayacct is 0',
      need: affects.length > 0 ? 'optional' : 'none',
      affects,
      fix: fix(
        'Switch it on, and start the VMs again: only threads that begin after it are counted. On the kernel command line it is on from the start.',
        ['shell', 'sysctl -w kernel.task_delayacct=1'],
        ['kernel command line', 'delayacct'],
      ),
    });
  },
};

/** What is known of the VMs that were there before, of those that this agent saw then. */
function switchedOn(tools: ProbeTools): Finding {
  const older = affected(tools, ['block_io_delay'], Outcome.notConfigured);
  if (older.length === 0) return works('the kernel counts it, for threads that began after it was switched on');
  return lacks(Outcome.notConfigured, {
    detail: `the kernel counts it, but not for ${some(older.length, 'VM')} that began before it was switched on`,
    need: 'optional',
    affects: older,
    fix: fix('Start them again; on the kernel command line it is on from the start.', ['kernel command line', 'delayacct']),
  });
}

/** Before Linux 5.14 it was on unless the command line said otherwise. */
function withoutSwitch(init: string): Finding {
  if (delayShown(init)) return works('the kernel counts it, as that of init shows');
  return lacks(Outcome.unsupported, {
    detail: 'nothing shows that the kernel counts it',
    need: 'none',
    fix: fix(
      'Run a kernel built with CONFIG_TASK_DELAY_ACCT, and before Linux 5.14 boot without nodelayacct.',
      ['shell', 'grep CONFIG_TASK_DELAY_ACCT /boot/config-$(uname -r)'],
      ['shell', 'grep -ow nodelayacct /proc/cmdline'],
    ),
  });
}
