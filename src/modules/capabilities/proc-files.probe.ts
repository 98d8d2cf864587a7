import { Outcome } from '../../model/outcome.js';
import { type Finding, fix, lacks, type Probe, works } from './capability.js';
import { giveRights, ownProcfs, setFlag } from './fixes.js';
import { ownFile, unlessGone } from './own-process.js';
import { affected, idsOf, isOn, type ProbeTools, running } from './probe-tools.js';

/** Whether descriptors are counted by the size of a directory. */
export const descriptorCounts: Probe = {
  name: 'descriptor_counts',
  gives: 'open descriptors of a VM for the price of one system call (Linux 6.2)',
  collectors: ['descriptors'],
  need: 'optional',
  find: async (tools) => {
    const { host } = tools;
    if (host.descriptorCountBySize) return works('the kernel tells the number');
    const release = (await unlessGone(tools.look.text(host.proc('sys', 'kernel', 'osrelease'))))?.trim();
    return lacks(Outcome.unsupported, {
      detail: `${release === undefined ? 'the kernel' : `Linux ${release}`} does not tell the number: descriptors are listed instead, now and then, at fifty times the cost`,
      need: 'none',
      affects: isOn(tools, 'descriptors') ? idsOf(running(tools)) : [],
      fix: fix('Run Linux 6.2 or later. No value is missing without it.', ['shell', 'uname -r']),
    });
  },
};

/** Not one value is told: sched_info_on() is false, which before Linux 5.14 was a matter of delay accounting. */
const NOT_COUNTED = /^0 0 0\s*$/;

/** Whether threads tell how long they waited for a CPU. */
export const schedstat: Probe = {
  name: 'run_queue_wait',
  gives: 'how long vCPUs waited for a CPU of the host, which the guest sees as steal',
  collectors: ['wait', 'contention', 'vcpus'],
  need: 'optional',
  find: async (tools) => {
    const own = await ownFile(tools, 'schedstat');
    if (!own) return unknown(tools);
    const { text } = own;
    const affects = idsOf(running(tools));
    if (text === null) {
      return lacks(Outcome.unsupported, {
        detail: 'the kernel has no schedstat files',
        need: affects.length > 0 ? 'optional' : 'none',
        affects,
        fix: fix('Run a kernel that is built with CONFIG_SCHED_INFO.', ['shell', 'grep CONFIG_SCHED_INFO /boot/config-$(uname -r)']),
      });
    }
    if (NOT_COUNTED.test(text)) {
      return lacks(Outcome.notConfigured, {
        detail: 'the kernel does not count how long threads wait',
        need: affects.length > 0 ? 'optional' : 'none',
        affects,
        fix: fix('Run Linux 5.14 or later, or boot without nodelayacct on the kernel command line.', [
          'shell',
          'grep -ow nodelayacct /proc/cmdline',
        ]),
      });
    }
    return switchedOn(tools, 'wait') ?? works('threads tell how long they waited');
  },
};

/** Whether the kernel counts bytes and operations of processes. */
export const processIo: Probe = {
  name: 'process_io',
  gives: 'bytes that a VMM read and wrote',
  collectors: ['io', 'shim_io', 'kata_vmm_io', 'virtiofsd_io'],
  need: 'required',
  find: async (tools) => {
    const own = await ownFile(tools, 'io');
    if (!own) return unknown(tools);
    if (own.text === null) {
      return lacks(Outcome.unsupported, {
        detail: 'the kernel does not count I/O of processes',
        need: 'optional',
        affects: idsOf(running(tools)),
        fix: fix('Run a kernel that is built with CONFIG_TASK_IO_ACCOUNTING.', [
          'shell',
          'grep CONFIG_TASK_IO_ACCOUNTING /boot/config-$(uname -r)',
        ]),
      });
    }
    const affects = affected(tools, processIo.collectors, Outcome.notPermitted);
    if (affects.length > 0) return refused('I/O of processes', affects);
    return switchedOn(tools, 'io') ?? works('the kernel counts I/O of processes');
  },
};

/** Whether the kernel can sum up memory maps. */
export const smaps: Probe = {
  name: 'memory_maps',
  gives: 'the proportional set size, where memory that VMs share is divided among them, and what the VMM adds to guest RAM',
  collectors: ['pss', 'memory_breakdown'],
  need: 'none',
  find: async (tools) => {
    const own = await ownFile(tools, 'smaps_rollup');
    if (!own) return unknown(tools);
    if (own.text === null) {
      return lacks(Outcome.unsupported, {
        detail: 'the kernel has no smaps_rollup',
        need: 'none',
        fix: fix('Run Linux 4.14 or later, built with CONFIG_PROC_PAGE_MONITOR.', ['shell', 'uname -r']),
      });
    }
    const affects = affected(tools, smaps.collectors, Outcome.notPermitted);
    if (affects.length > 0) return refused('memory maps', affects);
    return switchedOn(tools, 'pss') ?? works('the kernel sums up memory maps');
  },
};

/** Nothing is known of the kernel by files of our own. */
const unknown = ({ host }: ProbeTools): Finding =>
  lacks(Outcome.gone, { detail: `${host.roots.proc} does not know this agent, so nobody can tell`, need: 'none', fix: ownProcfs });

const refused = (what: string, affects: readonly string[]): Finding =>
  lacks(Outcome.notPermitted, { detail: `${what} of VMs of other users may not be read`, need: 'required', affects, fix: giveRights });

/** What is there and not asked for. */
function switchedOn(tools: ProbeTools, collector: string): Finding | undefined {
  if (isOn(tools, collector)) return undefined;
  return lacks(Outcome.notConfigured, {
    detail: `the kernel has it; the collector ${collector} is off`,
    need: 'none',
    fix: setFlag('Switch the collector on; --help says what it costs.', `--collector.${collector}`),
  });
}
