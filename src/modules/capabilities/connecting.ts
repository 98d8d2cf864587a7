import { type Fix, fix } from './capability.js';
import type { OwnProcess } from './own-process.js';

const RIGHTS = 'CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE';

/** Reading takes less: connect(2) wants write permission on a socket, unix(7). */
export const mayConnect = (own: OwnProcess): boolean => own.rights.has('CAP_DAC_OVERRIDE');

/** For people: `user 990 without CAP_DAC_OVERRIDE`. */
export const connectorWords = (own: OwnProcess): string =>
  `${own.uid === 0 ? 'root' : `user ${own.uid}`} ${mayConnect(own) ? 'with' : 'without'} CAP_DAC_OVERRIDE`;

/** The three ways to write permission, narrowest last. */
export const letConnect: Fix = fix(
  "Connecting to a socket needs write permission on it, which CAP_DAC_READ_SEARCH does not give: run the agent as the VMM's user or in the socket's group, or give it CAP_DAC_OVERRIDE, with which it may write any file. A VMM makes its socket anew at each start, and chgrp and chmod are to be done again then.",
  ['systemd unit', `AmbientCapabilities=${RIGHTS}`],
  ['systemd unit', `CapabilityBoundingSet=${RIGHTS}`],
  ['docker run', '--user=0 --cap-add=SYS_PTRACE --cap-add=DAC_READ_SEARCH --cap-add=DAC_OVERRIDE'],
  ['kubernetes', 'securityContext: {runAsUser: 0, capabilities: {add: [SYS_PTRACE, DAC_READ_SEARCH, DAC_OVERRIDE]}}'],
  ['shell', 'chgrp AGENT_GROUP SOCKET'],
  ['shell', 'chmod g+w SOCKET'],
);

/** The right is there and does not help. @param pid of such a VMM */
const beyondMode = (pid: string): Fix =>
  fix(
    "It is not the socket's mode, which CAP_DAC_OVERRIDE passes over: another process than the VMM listens at that path, the socket belongs to a third user, the right counts in a user namespace only, or a security module forbids it.",
    ['shell', `ss -xlp | grep pid=${pid},`],
    ['shell', 'journalctl --dmesg | grep -E "apparmor|avc:"'],
  );

/** Where a VMM refused. @param own null where that is not known */
export const refusedFix = (own: OwnProcess | null, pid: string): Fix => (own && mayConnect(own) ? beyondMode(pid) : letConnect);
