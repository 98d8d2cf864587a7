import { Outcome } from '../../model/outcome.js';
import { fix, lacks, type Probe, works } from './capability.js';
import { giveRights } from './fixes.js';
import { unlessGone } from './own-process.js';
import { affected, codeOf } from './probe-tools.js';
import { uncertain } from './seen.js';

/** PROC_PID_INIT_INO of linux/proc_ns.h: the first PID namespace has this number on every kernel. */
const FIRST_PID_NAMESPACE = 'pid:[4026531836]';
const OF_NAMESPACES = ['network', 'sandbox_network'];

/** Whether the procfs that is read shows the host's processes. */
export const pidNamespace: Probe = {
  name: 'pid_namespace',
  gives: 'VMs at all: the processes of the host are seen in its PID namespace only',
  collectors: [],
  need: 'required',
  find: async ({ host, look }) => {
    // Only the host's own first PID namespace has kernel threads.
    const second = await unlessGone(look.text(host.proc('2', 'comm')));
    if (second?.trim() === 'kthreadd') return works(`${host.roots.proc} shows the processes of the host`);
    const own = await unlessGone(look.link(host.proc('self', 'ns', 'pid')));
    if (own === FIRST_PID_NAMESPACE) return works('this agent is in the first PID namespace');
    return lacks(Outcome.notConfigured, {
      detail: `${host.roots.proc} shows the processes of a container or another PID namespace, not those of the host`,
      need: 'required',
      fix: fix(
        "Run the agent in the host's PID namespace, or give it the host's procfs.",
        ['docker run', '--pid=host'],
        ['kubernetes', 'hostPID: true'],
        ['systemd unit', 'PrivatePIDs=no'],
        ['vmgauge flag', '--path.procfs=/host/proc'],
      ),
    });
  },
};

/** Whether the network namespaces of VMs can be looked into. */
export const networkNamespaces: Probe = {
  name: 'network_namespaces',
  gives: 'interface counters of VMs, whatever namespace their taps are in',
  collectors: OF_NAMESPACES,
  need: 'optional',
  find: async (tools) => {
    const { host, look } = tools;
    const affects = affected(tools, OF_NAMESPACES, Outcome.notPermitted);
    if (affects.length > 0) {
      return lacks(Outcome.notPermitted, {
        ...{ detail: 'interfaces of VMs are in namespaces that this agent may not look into', need: 'required', fix: giveRights, affects },
      });
    }
    const own = await unlessGone(look.link(host.proc('self', 'ns', 'net')));
    const first = await linkUnlessRefused(look.link(host.proc('1', 'ns', 'net')));
    if (own === null || first === null || own === first) {
      return uncertain('no interface of a VM that can be seen is refused', tools) ?? works('no interface of a VM is refused');
    }
    return lacks(Outcome.notConfigured, {
      detail: "this agent is in a network namespace of its own: a tap that its VMM left behind in the host's is not seen",
      need: 'none',
      fix: fix(
        "Run the agent in the host's network namespace.",
        ['docker run', '--network=host'],
        ['kubernetes', 'hostNetwork: true'],
        ['systemd unit', 'PrivateNetwork=no'],
      ),
    });
  },
};

/** @returns null also where it may not be looked at: that is the business of another probe */
async function linkUnlessRefused(look: Promise<string>): Promise<string | null> {
  try {
    return await unlessGone(look);
  } catch (error) {
    if (codeOf(error) === 'EACCES' || codeOf(error) === 'EPERM') return null;
    throw error;
  }
}
