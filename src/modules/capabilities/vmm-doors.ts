import type { Hypervisor } from '../../model/instance.js';
import { Outcome, outcomeWords } from '../../model/outcome.js';
import type { Settings } from '../../model/settings.js';
import type { Instance } from '../instances/instance.js';
import type { Dialogue } from '../vmm/dialogue.js';
import { type Finding, type Fix, fix, type Lacking, lacks, type Need, type Probe, works } from './capability.js';
import { setFlag } from './fixes.js';
import { idsOf, type ProbeTools, running, some } from './probe-tools.js';

/** How one kind of VMM is asked, as far as its owner leaves a door. */
export interface Door {
  readonly dialogue: Dialogue['name'];
  readonly hypervisors: readonly Hypervisor[];
  /** For people: `QEMU`. */
  readonly what: string;
  /** A flag that switches it on, where it is off now; null where it is on. */
  readonly off: (settings: Settings) => string | null;
  /** How a VMM is given one. */
  readonly fix: (tools: ProbeTools) => Fix;
  /** Whether a VMM has one that the dialogue does not insist on; missing where it does. */
  readonly isThere?: (instance: Instance) => boolean;
}

/** Looks which running VMMs of a kind have a door for this agent, by configuration and evidence alone. */
export function findDoors(door: Door, tools: ProbeTools): Finding {
  const all = running(tools).filter(({ record }) => door.hypervisors.some((hypervisor) => hypervisor === record.hypervisor));
  const need: Need = all.length > 0 ? 'optional' : 'none';
  const flag = door.off(tools.settings);
  if (flag !== null) {
    const remedy = setFlag(`Let the agent ask ${door.what}.`, flag);
    return lacks(Outcome.notConfigured, { detail: 'the configuration switched it off', need, affects: idsOf(all), fix: remedy });
  }
  if (all.length === 0) return lacks(Outcome.gone, { detail: `no ${door.what} runs here`, need, fix: door.fix(tools) });
  return (
    lackingDoors(door, all, tools) ?? silent(door, all, tools) ?? works(`${count(all.length, all.length, door)} a door for this agent`)
  );
}

const count = (some: number, all: number, { what }: Door): string => `${some} of ${all} running ${what} ${some === 1 ? 'has' : 'have'}`;

function lackingDoors(door: Door, all: readonly Instance[], tools: ProbeTools): Finding | undefined {
  const standings = all.map((instance) => ({ instance, standing: standingOf(door, instance, tools) }));
  const without = standings.filter(({ standing }) => standing !== Outcome.ok);
  if (without.length === 0) return undefined;
  // A sandbox's VMM is Kata's, who starts it: no other door can be given to it.
  const open = without.filter(({ instance, standing }) => !(instance.record.sandbox && standing === Outcome.notPermitted));
  const ofOthers = without.filter(({ standing }) => standing === Outcome.notPermitted).length;
  const owned =
    ofOthers > 0 ? `; ${some(ofOthers, 'monitor')} of libvirt, Kata or hypeman ${ofOthers === 1 ? 'is' : 'are'} never touched` : '';
  const detail = `${count(all.length - without.length, all.length, door)} a door for this agent${owned}`;
  if (open.length === 0) return lacks(Outcome.notPermitted, { detail, need: 'none', fix: ofKata });
  const canBeAsked = all.some((instance) => dialogueOf(door, instance, tools));
  return lacks(worst(open.map(({ standing }) => standing)), {
    ...{ detail, need: canBeAsked ? 'optional' : 'none', fix: door.fix(tools) },
    affects: idsOf(open.map(({ instance }) => instance)),
  });
}

const ofKata = fix(
  "Nothing for the VMM: its monitor is its shim's alone. The shim may be asked instead, see the capability kata_shim_sockets.",
  ['vmgauge flag', '--shim.socket-runtimes=RUNTIME/HYPERVISOR'],
);

const dialogueOf = ({ dialogue }: Door, { record }: Instance, { dialogues }: ProbeTools): Dialogue | undefined =>
  dialogues.find(({ hypervisor, name }) => hypervisor === record.hypervisor && name === dialogue);

function standingOf(door: Door, instance: Instance, tools: ProbeTools): Outcome {
  const { host, settings, shims } = tools;
  const standing = dialogueOf(door, instance, tools)?.standing(instance, { host, settings, shims }) ?? Outcome.unsupported;
  return standing === Outcome.ok && door.isThere?.(instance) === false ? Outcome.notConfigured : standing;
}

/** What somebody can do something about comes first. */
function worst(standings: readonly Outcome[]): Lacking {
  const order: readonly Lacking[] = [Outcome.notConfigured, Outcome.unsupported, Outcome.notPermitted];
  return (
    order.find((outcome) => standings.includes(outcome)) ?? standings.find((one): one is Lacking => one !== Outcome.ok) ?? Outcome.gone
  );
}

/** Those that were asked and gave no answer the last time. */
function silent(door: Door, all: readonly Instance[], { asker }: ProbeTools): Finding | undefined {
  const failing = all.filter((instance) => {
    const contact = asker?.known(instance);
    return contact !== undefined && contact.inRow > 0;
  });
  if (failing.length === 0) return undefined;
  const outcome = asker?.known(failing[0])?.outcome ?? Outcome.timeout;
  return lacks(outcome === Outcome.ok ? Outcome.timeout : outcome, {
    detail: `${failing.length} of ${all.length} running ${door.what} did not answer the last question (${outcomeWords(outcome).reason ?? 'timeout'})`,
    need: 'optional',
    affects: idsOf(failing),
    fix: fix(
      'Look whether the VMM hangs, or whether another client holds its monitor.',
      ['shell', `vmgauge stats ${failing[0].id}`],
      ['shell', `ss -xp | grep ${failing[0].current?.pid ?? 'PID'}`],
    ),
  });
}

/** @param find as of a probe, once it is known that there is a door */
export const doorProbe = (name: string, gives: string, collectors: readonly string[], door: Door): Probe => ({
  ...{ name, gives, collectors },
  need: 'optional',
  find: (tools) => findDoors(door, tools),
});
