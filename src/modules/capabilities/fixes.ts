import { type Fix, fix } from './capability.js';

const RIGHTS = 'CAP_SYS_PTRACE CAP_DAC_READ_SEARCH';

/** The two rights that are enough for everything that is read, as README and unit file say. Connecting takes another, connecting.ts. */
export const giveRights: Fix = fix(
  'Give the agent CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or run it as root.',
  ['systemd unit', `AmbientCapabilities=${RIGHTS}`],
  ['systemd unit', `CapabilityBoundingSet=${RIGHTS}`],
  ['docker run', '--user=0 --cap-add=SYS_PTRACE --cap-add=DAC_READ_SEARCH'],
  ['kubernetes', 'securityContext: {runAsUser: 0, capabilities: {add: [SYS_PTRACE, DAC_READ_SEARCH]}}'],
  ['shell', 'sudo vmgauge'],
);

/** A directory of the host that a container has to be given. @param path as the agent looks for it */
export const mountDirectory = (text: string, path: string): Fix =>
  fix(
    text,
    ['docker run', `--volume=${path}:${path}:ro`],
    ['kubernetes', `volumes: [{name: NAME, hostPath: {path: ${path}}}]; volumeMounts: [{name: NAME, mountPath: ${path}, readOnly: true}]`],
  );

/** A setting that leaves it out. */
export const setFlag = (text: string, line: string): Fix => fix(text, ['vmgauge flag', line]);

/** What lies on a file system that does not answer: nothing else is known of it. */
export const fileSystemHangs: Fix = fix(
  'Something this agent looks at does not answer. Find which file system processes wait for, and repair or unmount it.',
  ['shell', "ps -eo pid,stat,wchan:32,args | awk '$2 ~ /^D/'"],
);

export const readLog: Fix = fix('The kernel gave an answer that nobody expects. Its log may say why.', [
  'shell',
  'journalctl --dmesg --lines=50',
]);

/** A procfs of a PID namespace in which this agent is not. */
export const ownProcfs: Fix = fix('Give the agent a procfs that shows itself: its own, or that of a PID namespace around its own.', [
  'vmgauge flag',
  '--path.procfs=/proc',
]);
