import { Outcome } from '../../model/outcome.js';
import { type Fix, fix, lacks, type Probe, works } from './capability.js';
import { giveRights } from './fixes.js';
import { type Mount, mountAt, mounts } from './mounts.js';
import { ownProcess, ownWords, unlessGone } from './own-process.js';
import { affected, codeOf, type ProbeTools, some } from './probe-tools.js';

/** What a process of another user shows only to who may trace it, proc(5). */
const TRACED = ['descriptors', 'io', 'network', 'pss', 'shim_io', 'kata_vmm_io', 'virtiofsd_io', 'sandbox_network'];
/** Of /proc/self/uid_map in the first user namespace, user_namespaces(7). */
const ALL_USERS = /^\s*0\s+0\s+4294967295\s*$/;

/** Whether processes of other users can be looked into: their descriptors, their I/O, their namespaces. */
export const otherProcesses: Probe = {
  name: 'processes_of_others',
  gives: 'VMs of other users at all, and their descriptors, I/O and network',
  collectors: TRACED,
  need: 'required',
  find: async (tools) => {
    const { processes, unreadable } = tools.discovery;
    const affects = affected(tools, TRACED, Outcome.notPermitted);
    if (processes === 0 && affects.length === 0) return works('no file of a VM is refused');
    if (unreadable === 0 && affects.length === 0)
      return works(`each of ${some(processes, 'visible process', 'visible processes')} can be looked into`);
    const own = await ownProcess(tools);
    const refused = `${unreadable} of ${some(processes, 'process', 'processes')} cannot be looked into by ${ownWords(own)}, VMs may be among them`;
    const detail = unreadable === 0 ? `some files of VMs are refused to ${ownWords(own)}` : refused;
    const remedy = own?.rights.has('CAP_SYS_PTRACE') ? await lookBeyondRights(tools) : giveRightsToLook;
    return lacks(Outcome.notPermitted, { detail, need: 'required', affects, fix: remedy });
  },
};

const giveRightsToLook: Fix = {
  ...giveRights,
  text: `${giveRights.text} They let it look and not connect: for sockets of VMMs see the capability vmm_sockets.`,
};

/** The right is there and does not help: it counts in a user namespace only, or a security module decides otherwise. */
async function lookBeyondRights({ host, look }: ProbeTools): Promise<Fix> {
  const users = await unlessGone(look.text(host.proc('self', 'uid_map')));
  if (users !== null && !ALL_USERS.test(users)) {
    return fix(
      'CAP_SYS_PTRACE counts in a user namespace only: run the agent in the user namespace of the host.',
      ['docker run', '--userns=host'],
      ['kubernetes', 'hostUsers: true'],
      ['systemd unit', 'PrivateUsers=no'],
    );
  }
  return fix(
    'A security module forbids it although CAP_SYS_PTRACE is there: run the agent unconfined, or let its profile trace for reading.',
    ['docker run', '--security-opt=apparmor=unconfined --security-opt=label=disable'],
    ['kubernetes', 'securityContext: {appArmorProfile: {type: Unconfined}}'],
    ['shell', 'journalctl --dmesg | grep -E "apparmor|avc:"'],
  );
}

/** Whether processes of other users are seen at all: the mount option hidepid hides them. */
export const hiddenProcesses: Probe = {
  name: 'process_visibility',
  gives: 'VMs of other users at all',
  collectors: [],
  need: 'required',
  find: async (tools) => {
    const { host, look } = tools;
    const mount = mountAt(await mounts(tools), host.roots.proc);
    const option = hidingOption(mount);
    if (option === undefined) return works('nothing hides processes of other users');
    const own = await ownProcess(tools);
    // The kernel's own thread first: a security module may hide the first process from everybody.
    const hidden = await Promise.all(['2', '1'].map((pid) => isHidden(look.text(host.proc(pid, 'stat')))));
    if (hidden.includes(false) || own?.rights.has('CAP_SYS_PTRACE')) return works(`processes of all users are seen in spite of ${option}`);
    const detail = `${host.roots.proc} is mounted with ${option}, which hides processes of other users from ${ownWords(own)}`;
    return lacks(Outcome.notPermitted, { detail, need: 'required', fix: showProcesses(host.roots.proc, mount) });
  },
};

/** `hidepid=` of proc(5), by number before Linux 5.8; undefined where it hides nothing. */
function hidingOption(mount: Mount | undefined): string | undefined {
  return mount?.options.find((option) => /^hidepid=(?!0$|off$)/.test(option));
}

/** With hidepid=1 the file is refused, with 2 the process is not there, for who may not see it. */
async function isHidden(look: Promise<string>): Promise<boolean> {
  try {
    return (await unlessGone(look)) === null;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EPERM' || code === 'EACCES') return true;
    throw error;
  }
}

function showProcesses(root: string, mount: Mount | undefined): Fix {
  const group = mount?.options.find((option) => option.startsWith('gid='))?.slice('gid='.length);
  return fix(
    'Give the agent CAP_SYS_PTRACE, or show all processes to it.',
    ['systemd unit', 'AmbientCapabilities=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH'],
    ['systemd unit', 'ProtectProc=default'],
    ...(group === undefined ? [] : [['systemd unit', `SupplementaryGroups=${group}`] as const]),
    ['shell', `mount -o remount,hidepid=0 ${root}`],
  );
}
