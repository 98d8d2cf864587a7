import { Outcome, outcomeWords } from '../../model/outcome.js';
import { kvmDebugfsAccess } from '../vmm/kvm-access.js';
import { type Fix, fix, type Lacking, lacks, type Probe, works } from './capability.js';
import { giveRights } from './fixes.js';
import { unlessGone } from './own-process.js';
import { affected, idsOf, type ProbeTools, running } from './probe-tools.js';

/** Nothing lifts it while the kernel runs. */
const unlock = fix(
  'Boot without lockdown= on the kernel command line, and without Secure Boot, which is what locks the kernels of most distributions.',
  ['shell', 'cat /sys/kernel/security/lockdown; mokutil --sb-state'],
  ['firmware', 'Secure Boot: disabled'],
);

/** Whether the host can run VMs with KVM at all. */
export const kvm: Probe = {
  name: 'kvm',
  gives: 'VMs that run on the CPU instead of being emulated',
  collectors: [],
  need: 'none',
  find: async ({ host, look }) => {
    if (await look.isThere(host.sys('class', 'misc', 'kvm'))) return works('KVM is there');
    const flags = /^flags\s*:.*$/m.exec((await unlessGone(look.text(host.proc('cpuinfo')))) ?? '')?.[0] ?? '';
    const module = / vmx( |$)/.test(flags) ? 'kvm_intel' : / svm( |$)/.test(flags) ? 'kvm_amd' : null;
    return lacks(Outcome.unsupported, {
      detail: `${host.roots.sys} shows no KVM${module === null ? ', and the CPU shows no virtualization to this kernel' : ''}`,
      need: 'none',
      fix:
        module === null
          ? fix('Switch virtualization on in the firmware, or nested virtualization in the host of this host.', [
              'firmware',
              'VT-x, AMD-V (SVM)',
            ])
          : fix('Load KVM.', ['shell', `modprobe ${module}`]),
    });
  },
};

/** Whether what KVM counts of each VM can be read. */
export const kvmStatistics: Probe = {
  name: 'kvm_statistics',
  gives: 'exits and pages of each KVM guest, and which thread is which vCPU, without asking its VMM',
  collectors: ['kvm', 'vcpus'],
  need: 'optional',
  find: async (tools) => {
    const outcome = kvmDebugfsAccess(tools.host);
    if (outcome === Outcome.ok) return works('debugfs shows what KVM counts');
    // A VM whose VMM tells the same lacks nothing, and one that KVM does not run has nothing to be told.
    const served = new Set(affected(tools, ['kvm'], Outcome.ok, Outcome.unsupported));
    const affects = idsOf(running(tools)).filter((id) => !served.has(id));
    const { detail, remedy } = await reasonOf(outcome, tools);
    return lacks(outcome, {
      detail,
      need: affects.length > 0 && outcome !== Outcome.unsupported ? 'optional' : 'none',
      affects,
      fix: remedy,
    });
  },
};

interface Reason {
  readonly detail: string;
  readonly remedy: Fix;
}

async function reasonOf(outcome: Lacking, { host, look }: ProbeTools): Promise<Reason> {
  const directory = host.sys('kernel', 'debug');
  switch (outcome) {
    case Outcome.notConfigured:
      return {
        detail: `debugfs is not mounted at ${directory}`,
        remedy: fix(
          'Mount debugfs; it is for root alone.',
          ['shell', `mount -t debugfs none ${directory}`],
          ['systemd unit', 'Wants=sys-kernel-debug.mount'],
          ['docker run', `--volume=/sys/kernel/debug:${directory}:ro`],
        ),
      };
    case Outcome.notPermitted:
      return { detail: `${directory} may not be looked into`, remedy: giveRights };
    case Outcome.lockdown:
      return {
        detail: 'the kernel is locked down and refuses counters of debugfs to everybody',
        remedy: {
          ...unlock,
          text: `Ask QEMU for the same numbers over a monitor of this agent's own (capability qmp). Or: ${unlock.text}`,
        },
      };
    case Outcome.unsupported: {
      const isMounted = await look.isThere(directory);
      return isMounted
        ? {
            detail: 'debugfs is there and KVM is not in it: KVM is not loaded',
            remedy: fix('Load KVM; see the capability kvm.', ['shell', 'lsmod | grep kvm']),
          }
        : {
            detail: `the kernel has no debugfs at ${directory}`,
            remedy: fix('Run a kernel that is built with CONFIG_DEBUG_FS.', ['shell', 'grep debugfs /proc/filesystems']),
          };
    }
    default:
      return {
        detail: `reading ${directory} ended with ${outcomeWords(outcome).reason}`,
        remedy: fix('The log of the kernel may say why.', ['shell', 'journalctl --dmesg --lines=50']),
      };
  }
}

/** What the kernel keeps from root itself. */
export const lockdown: Probe = {
  name: 'kernel_lockdown',
  gives: 'certainty that root may read what KVM counts',
  collectors: [],
  need: 'none',
  find: async ({ host, look }) => {
    const text = await unlessGone(look.text(host.sys('kernel', 'security', 'lockdown')));
    // `none [integrity] confidentiality`, security/lockdown.
    const word = /\[([a-z]+)\]/.exec(text ?? '')?.[1];
    if (word === 'none') return works('the kernel is not locked down');
    if (word !== undefined) {
      return lacks(Outcome.lockdown, {
        detail: `the kernel is locked down for ${word}`,
        need: 'none',
        fix: unlock,
      });
    }
    return text === null
      ? lacks(Outcome.notConfigured, {
          detail: 'securityfs is not mounted or the kernel has no lockdown: whether it is locked down is not known',
          need: 'none',
          fix: fix('Mount securityfs.', ['shell', `mount -t securityfs none ${host.sys('kernel', 'security')}`]),
        })
      : lacks(Outcome.malformed, {
          detail: 'the word of the kernel is none that is known',
          need: 'none',
          fix: fix('Read it.', ['shell', `cat ${host.sys('kernel', 'security', 'lockdown')}`]),
        });
  },
};
