import type { Hypervisor } from '../../model/instance.js';
import { Outcome } from '../../model/outcome.js';
import type { Settings } from '../../model/settings.js';
import type { Instance } from '../instances/instance.js';
import type { Dialogue } from '../vmm/dialogue.js';
import { type Finding, type Fix, fix, lacks, type Probe, works } from './capability.js';
import { setFlag } from './fixes.js';
import { idsOf, type ProbeTools, running, some } from './probe-tools.js';
import { uncertain } from './seen.js';
import { type Asked, askedOf, needOf, reasonsOf, silenceFix, silenceWords } from './vmm-silence.js';

/** How one kind of VMM is asked, as far as its owner leaves a door. */
export interface Door {
  readonly dialogue: Dialogue['name'];
  readonly hypervisors: readonly Hypervisor[];
  /** For people, one of them: `QEMU`. */
  readonly what: string;
  /** A flag that switches it on, where it is off now; null where it is on. */
  readonly off: (settings: Settings) => string | null;
  /** How a VMM is given one. */
  readonly fix: (tools: ProbeTools) => Fix;
  /** Whether a VMM has one that the dialogue does not insist on; missing where it does. */
  readonly isThere?: (instance: Instance) => boolean;
  /** Whether others than this agent may be at it rightly. */
  readonly isShared: (instance: Instance, settings: Settings) => boolean;
  /** What it is that answers and cannot be understood, and what to do. */
  readonly malformed: string;
}

/** Where each running VMM of a kind stands. */
interface Standings {
  readonly all: readonly Instance[];
  readonly open: readonly Instance[];
  /** Those that a door can be given to. */
  readonly without: readonly Instance[];
  /** Monitors that are somebody else's. */
  readonly owned: number;
}

/** Looks which running VMMs of a kind have a door for this agent, and which of these did not answer the last time. Nobody is asked for it. */
export async function findDoors(door: Door, tools: ProbeTools): Promise<Finding> {
  const all = ofKind(door, tools);
  const flag = door.off(tools.settings);
  if (flag !== null) {
    const need = all.length > 0 ? 'optional' : 'none';
    const remedy = setFlag(`Let the agent ask ${door.what}.`, flag);
    return lacks(Outcome.notConfigured, { detail: 'the configuration switched it off', need, affects: idsOf(all), fix: remedy });
  }
  if (all.length === 0) {
    const none = lacks(Outcome.gone, { detail: `no ${door.what} runs here`, need: 'none', fix: door.fix(tools) });
    return uncertain(`no ${door.what} that can be seen runs here`, tools) ?? none;
  }
  const standings = standingsOf(door, all, tools);
  const asked = askedOf(standings.open, tools);
  const detail = wordsOf(door, standings, asked);
  if (asked.silent.length > 0) return silentDoors(door, { standings, asked, detail }, tools);
  return lackingDoors(door, standings, detail, tools) ?? works(detail);
}

/** Whether a VMM has a door that this agent would use. */
export const isOpen = (door: Door, instance: Instance, tools: ProbeTools): boolean =>
  door.off(tools.settings) === null && standingOf(door, instance, tools) === Outcome.ok;

/** Those of a kind that run. */
export const ofKind = ({ hypervisors }: Door, tools: ProbeTools): readonly Instance[] =>
  running(tools).filter(({ record }) => hypervisors.some((hypervisor) => hypervisor === record.hypervisor));

function standingsOf(door: Door, all: readonly Instance[], tools: ProbeTools): Standings {
  const standings = all.map((instance) => ({ instance, standing: standingOf(door, instance, tools) }));
  const closed = standings.filter(({ standing }) => standing !== Outcome.ok);
  // A sandbox's VMM is Kata's, who starts it: no other door can be given to it.
  const without = closed.filter(({ instance, standing }) => !(instance.record.sandbox && standing === Outcome.notPermitted));
  return {
    all,
    open: standings.filter(({ standing }) => standing === Outcome.ok).map(({ instance }) => instance),
    without: without.map(({ instance }) => instance),
    owned: closed.filter(({ standing }) => standing === Outcome.notPermitted).length,
  };
}

const dialogueOf = ({ dialogue }: Door, { record }: Instance, { dialogues }: ProbeTools): Dialogue | undefined =>
  dialogues.find(({ hypervisor, name }) => hypervisor === record.hypervisor && name === dialogue);

function standingOf(door: Door, instance: Instance, tools: ProbeTools): Outcome {
  const { host, settings, shims } = tools;
  const standing = dialogueOf(door, instance, tools)?.standing(instance, { host, settings, shims }) ?? Outcome.unsupported;
  return standing === Outcome.ok && door.isThere?.(instance) === false ? Outcome.notConfigured : standing;
}

/** `5 of 6 running QEMUs have a door for this agent; 2 do not answer: k (malformed), l (not_configured)` */
function wordsOf({ what }: Door, { all, open, owned }: Standings, { silent, untried }: Asked): string {
  return [
    `${open.length} of ${some(all.length, `running ${what}`)} ${open.length === 1 ? 'has' : 'have'} a door for this agent`,
    ...(silent.length > 0 ? [silenceWords(silent)] : []),
    ...(untried > 0 ? [untried === open.length ? 'doors were not tried' : `${untried} not tried yet`] : []),
    ...(owned > 0
      ? [`${some(owned, 'monitor')} of libvirt, Kata, hypeman, Proxmox VE, Incus or LXD ${owned === 1 ? 'is' : 'are'} never touched`]
      : []),
  ].join('; ');
}

interface Silence {
  readonly standings: Standings;
  readonly asked: Asked;
  readonly detail: string;
}

async function silentDoors(
  door: Door,
  { standings: { without }, asked: { silent }, detail }: Silence,
  tools: ProbeTools,
): Promise<Finding> {
  const remedy = await silenceFix(silent, door.malformed, tools);
  const gift = door.fix(tools);
  return lacks(reasonsOf(silent)[0] ?? Outcome.timeout, {
    detail,
    need: needOf(silent, (instance) => door.isShared(instance, tools.settings)),
    affects: idsOf([...silent.map(({ instance }) => instance), ...without]),
    fix:
      without.length === 0
        ? remedy
        : { text: `${remedy.text} For those without a door: ${gift.text}`, steps: [...remedy.steps, ...gift.steps] },
  });
}

/** Whatever keeps a door from one or the other: the reason is the same as long as one can be given to somebody. */
function lackingDoors(door: Door, { all, open, without }: Standings, detail: string, tools: ProbeTools): Finding | undefined {
  if (without.length === 0)
    return open.length === all.length ? undefined : lacks(Outcome.notPermitted, { detail, need: 'none', fix: ofKata });
  const canBeAsked = all.some((instance) => dialogueOf(door, instance, tools));
  return lacks(canBeAsked ? Outcome.notConfigured : Outcome.unsupported, {
    ...{ detail, need: canBeAsked ? 'optional' : 'none', fix: door.fix(tools), affects: idsOf(without) },
  });
}

const ofKata = fix(
  "Nothing for the VMM: its monitor is its shim's alone. The shim may be asked instead, see the capability kata_shim_sockets.",
  ['vmgauge flag', '--shim.socket-runtimes=RUNTIME/HYPERVISOR'],
);

/** @param find as of a probe, once it is known that there is a door */
export const doorProbe = (name: string, gives: string, collectors: readonly string[], door: Door): Probe => ({
  ...{ name, gives, collectors },
  need: 'optional',
  find: (tools) => findDoors(door, tools),
});
