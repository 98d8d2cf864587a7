import { Outcome, outcomeWords } from '../../model/outcome.js';
import type { Instance } from '../instances/instance.js';
import { kvmDebugfsAccess } from '../vmm/kvm-access.js';
import { type Fix, fix, type Lacking, lacks, type Probe, works } from './capability.js';
import { giveRights } from './fixes.js';
import { unlessGone } from './own-process.js';
import { affected, codeOf, idsOf, type ProbeTools, running } from './probe-tools.js';

/** VMs whose descriptors are looked at, and how many of each; of more it is not known. */
const MANY = 200;
const MANY_DESCRIPTORS = 256;
/** virt/kvm/kvm_main.c */
const VM_DESCRIPTOR = 'anon_inode:kvm-vm';

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
    if (await look.isThere(host.sys('class', 'misc', 'kvm')))
      return works('this host has KVM; whether this agent may open /dev/kvm does not matter');
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
    const affects = await unserved(tools);
    const { detail, remedy } = await reasonOf(outcome, tools);
    return lacks(outcome, {
      detail,
      need: affects.length > 0 && outcome !== Outcome.unsupported ? 'optional' : 'none',
      affects,
      fix: remedy,
    });
  },
};

/** A VM whose VMM tells the same lacks nothing, and one that KVM does not run has nothing to be told. */
async function unserved(tools: ProbeTools): Promise<readonly string[]> {
  const served = new Set(affected(tools, ['kvm'], Outcome.ok, Outcome.unsupported));
  const rest = running(tools).filter(({ id }) => !served.has(id));
  const emulated = await Promise.all(rest.map((instance, i) => i < MANY && isWithoutKvm(instance, tools)));
  return idsOf(rest.filter((_, i) => !emulated[i]));
}

/** Certainly: all its descriptors were seen, and none is of a VM of KVM. */
async function isWithoutKvm({ current }: Instance, { host, look }: ProbeTools): Promise<boolean> {
  if (!current) return false;
  const directory = host.proc(String(current.pid), 'fd');
  try {
    const descriptors = (await unlessGone(look.names(directory, MANY_DESCRIPTORS))) ?? [];
    if (descriptors.length === 0 || descriptors.length === MANY_DESCRIPTORS) return false;
    // One after the other: it is among the first that a VMM opens.
    for (const descriptor of descriptors.toSorted((a, b) => Number(a) - Number(b))) {
      if ((await unlessGone(look.link(`${directory}/${descriptor}`))) === VM_DESCRIPTOR) return false;
    }
    return true;
  } catch (error) {
    if (codeOf(error) === 'EACCES' || codeOf(error) === 'EPERM') return false;
    throw error;
  }
}

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
