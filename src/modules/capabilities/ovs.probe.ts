import { Outcome, outcomeWords } from '../../model/outcome.js';
import { worst } from '../network/ovs/observer.js';
import { type Finding, fix, lacks, type Probe, works } from './capability.js';
import { mountDirectory, setFlag } from './fixes.js';
import { type ProbeTools, some } from './probe-tools.js';

type Seen = NonNullable<ProbeTools['switches']>[number];

const RIGHTS = 'CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE';

/** Whether switches of this host can be asked. */
export const ovs: Probe = {
  name: 'ovs',
  gives: 'ports of VMs by the count of their virtual switch, flows, meters, and what a bridge of Antrea has',
  collectors: ['switch_ports', 'ovs', 'antrea'],
  need: 'optional',
  find: async ({ settings, look, switches }) => {
    const on = (text: string, line: string): Finding =>
      lacks(Outcome.notConfigured, { detail: text, need: 'none', fix: setFlag('Switch it on.', line) });
    if (settings.ovsDirectories.length === 0)
      return on('the configuration names no run directory', '--ovs.run-directories=/run/openvswitch');
    if (settings.collectors.get('ovs') === false) return on('the configuration switched it off', '--collector.ovs');
    const asked = switches ?? [];
    const known = asked.filter(({ outcome }) => outcome !== Outcome.busy && outcome !== Outcome.notConfigured);
    if (known.length > 0) return ofKnown(known);
    const there = await Promise.all(asked.map(({ path }) => look.isThere(path)));
    const empty = asked.find((_, i) => there[i]);
    return empty ? withoutDatabase(empty) : nowhere(settings.ovsDirectories);
  },
};

function ofKnown(known: readonly Seen[]): Finding {
  const troubled = known.find((one) => worst(one) !== Outcome.ok);
  if (troubled) return ofTroubled(troubled, worst(troubled));
  const bridges = known.reduce((sum, one) => sum + one.bridges.size, 0);
  return works(`Open vSwitch at ${known.map(({ directory }) => directory).join(' and ')} answers for ${some(bridges, 'bridge')}`);
}

function ofTroubled(one: Seen, outcome: Outcome): Finding {
  const bridge = one.outcome === Outcome.ok ? bridgeWith(one, outcome) : undefined;
  const what = bridge === undefined ? 'the database of Open vSwitch' : `the bridge ${bridge} of Open vSwitch`;
  switch (outcome) {
    case Outcome.ok:
      return works(`Open vSwitch at ${one.directory} answers`);
    case Outcome.notPermitted:
      return lacks(outcome, { detail: `${what} at ${one.directory} may not be connected to`, need: 'optional', fix: letIn(one.path) });
    case Outcome.gone:
      return lacks(outcome, {
        detail: `${bridge === undefined ? what : 'ovs-vswitchd'} at ${one.directory} does not run`,
        need: 'required',
        fix: startIt,
      });
    case Outcome.unsupported:
      return lacks(outcome, {
        detail: `${what} at ${one.directory} speaks no version that is known here`,
        need: 'optional',
        fix: letSpeak(bridge ?? 'BRIDGE'),
      });
    default:
      return lacks(outcome, {
        detail: `${what} at ${one.directory} does not answer well (${outcomeWords(outcome).reason})`,
        need: outcome === Outcome.timeout ? 'required' : 'optional',
        fix: lookAt(one.path, bridge === undefined ? ['ovsdb-server', 'memory/show'] : ['ovs-vswitchd', 'coverage/show']),
      });
  }
}

/** Its sockets are 0750 and root's, or of the user that the distribution made for it; writing to them takes more than reading files. */
const letIn = (path: string) =>
  fix(
    'Run the agent as root or as the user whose the sockets are, or give it CAP_DAC_OVERRIDE. Whoever may connect may do everything with the switch: this agent can send nothing but questions. A socket of a third user is not connected to.',
    ['shell', `ls -l '${path.replaceAll("'", '')}'`],
    ['systemd unit', `AmbientCapabilities=${RIGHTS}`],
    ['systemd unit', `CapabilityBoundingSet=${RIGHTS}`],
    ['docker run', '--user=0 --cap-add=SYS_PTRACE --cap-add=DAC_READ_SEARCH --cap-add=DAC_OVERRIDE'],
    ['kubernetes', 'securityContext: {runAsUser: 0, capabilities: {add: [SYS_PTRACE, DAC_READ_SEARCH, DAC_OVERRIDE]}}'],
  );

const startIt = fix(
  'Start Open vSwitch, and find out why it ended.',
  ['shell', 'systemctl restart openvswitch-switch'],
  ['shell', 'journalctl --unit=openvswitch-switch --unit=ovs-vswitchd --unit=ovsdb-server --lines=50'],
);

const bridgeWith = ({ bridges }: Seen, outcome: Outcome): string | undefined =>
  [...bridges].find(([, watch]) => watch.outcome === outcome)?.[0].replace(/[^\w.:-]/g, '?');

const letSpeak = (bridge: string) =>
  fix('Let the bridge accept OpenFlow 1.0, and 1.3 or 1.5 for its meters.', [
    'shell',
    `ovs-vsctl add bridge ${bridge} protocols OpenFlow10,OpenFlow15`,
  ]);

const lookAt = (path: string, [program, command]: readonly [string, string]) =>
  fix(
    'Find out what holds it up; it is asked again, less and less often.',
    ['shell', `ps -o pid,stat,wchan:20,args -C ${program}`],
    ['shell', `OVS_RUNDIR='${path.replaceAll("'", '')}' ovs-appctl --timeout=5 -t ${program} ${command}`],
  );

const withoutDatabase = ({ directory }: Seen): Finding =>
  lacks(Outcome.notConfigured, { detail: `there is no db.sock in ${directory}: Open vSwitch does not run`, need: 'none', fix: startIt });

function nowhere(directories: readonly string[]): Finding {
  return lacks(Outcome.notConfigured, {
    detail: `there is no Open vSwitch: no ${directories.join(' and no ')}`,
    need: 'none',
    fix: mountDirectory('Where it runs outside of the container of this agent, give it the run directory.', directories[0]),
  });
}
