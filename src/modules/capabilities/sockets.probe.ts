import { Outcome } from '../../model/outcome.js';
import type { Instance } from '../instances/instance.js';
import { type Finding, lacks, type Probe, works } from './capability.js';
import { connectorWords, letConnect, mayConnect, refusedFix } from './connecting.js';
import { ownProcfs } from './fixes.js';
import { type OwnProcess, ownProcess, unlessGone } from './own-process.js';
import { idsOf, type ProbeTools, some } from './probe-tools.js';
import { uncertain } from './seen.js';
import { DOORS } from './vmm.probe.js';
import { isOpen, ofKind } from './vmm-doors.js';
import { lastOf } from './vmm-silence.js';

/** VMMs whose user is looked at; the others are run by the same as a rule. */
const MANY = 200;

/** Whether the agent may write to the sockets over which VMMs are asked. */
export const vmmSockets: Probe = {
  name: 'vmm_sockets',
  gives: 'the right to connect to the sockets that VMMs leave for this agent, which the right to read files is not',
  collectors: ['vmm'],
  need: 'optional',
  find: async (tools) => {
    const doors = DOORS.flatMap((door) => ofKind(door, tools).filter((instance) => isOpen(door, instance, tools) && hasSocket(instance)));
    const own = await ownProcess(tools);
    const refused = doors.filter((instance) => lastOf(instance, tools) === Outcome.notPermitted);
    if (refused.length > 0) return ofRefused(refused, doors.length, own);
    if (!own) return lacks(Outcome.gone, { detail: `${tools.host.roots.proc} does not know this agent`, need: 'none', fix: ownProcfs });
    if (mayConnect(own)) return works(`${connectorWords(own)} may connect to the sockets of all VMMs`);
    if (doors.length === 0) {
      const none = lacks(Outcome.gone, { detail: 'no VMM has a socket for this agent', need: 'none', fix: letConnect });
      return uncertain('no VMM that can be seen has a socket for this agent', tools) ?? none;
    }
    return ofOthers(doors, own, tools);
  },
};

const hasSocket = ({ record: { sockets } }: Instance): boolean => sockets !== undefined && sockets.length > 0;

function ofRefused(refused: readonly Instance[], all: number, own: OwnProcess | null): Finding {
  const pid = String(refused[0].current?.pid ?? 'PID');
  return lacks(Outcome.notPermitted, {
    detail: `${own ? connectorWords(own) : 'this agent'} was refused at ${refused.length} of ${some(all, 'socket')} of VMMs`,
    need: 'required',
    affects: idsOf(refused),
    fix: refusedFix(own, pid),
  });
}

/** What a VMM that answered tells is certain; of one that nobody asked it is seen whose it is. */
async function ofOthers(doors: readonly Instance[], own: OwnProcess, tools: ProbeTools): Promise<Finding> {
  const open = doors.filter((instance) => lastOf(instance, tools) === null).slice(0, MANY);
  const users = await Promise.all(open.map((instance) => userOf(instance, tools)));
  const strangers = open.filter((_, i) => users[i] !== null && users[i] !== own.uid);
  if (strangers.length === 0) return works(`sockets of ${some(doors.length, 'VMM')} are open to ${connectorWords(own)}`);
  return lacks(Outcome.notPermitted, {
    detail: `${strangers.length} of ${some(doors.length, 'VMM')} with a socket for this agent ${strangers.length === 1 ? 'runs' : 'run'} as another user: ${connectorWords(own)} is let in by the group and mode of a socket alone; nobody was asked`,
    need: 'optional',
    affects: idsOf(strangers),
    fix: letConnect,
  });
}

/** The effective one; null where it is gone, and where it is not shown, which is the business of another probe. */
async function userOf({ current }: Instance, { host, look }: ProbeTools): Promise<number | null> {
  const text = current ? await unlessGone(look.text(host.proc(String(current.pid), 'status'))) : null;
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(text ?? '')?.[1];
  return uid === undefined ? null : Number(uid);
}
