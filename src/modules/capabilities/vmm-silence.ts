import { Outcome, outcomeWords } from '../../model/outcome.js';
import type { Instance } from '../instances/instance.js';
import { type Fix, fix, type Lacking, type Need } from './capability.js';
import { refusedFix } from './connecting.js';
import { type OwnProcess, ownProcess } from './own-process.js';
import type { ProbeTools } from './probe-tools.js';

const NAMED = 5;

/** A VMM that was asked and gave no answer the last time. */
export interface Silent {
  readonly instance: Instance;
  readonly outcome: Lacking;
}

export interface Asked {
  readonly silent: readonly Silent[];
  /** How many were never asked, or not answered yet for the first time. */
  readonly untried: number;
}

/** What came of the last question to each. */
export function askedOf(instances: readonly Instance[], tools: ProbeTools): Asked {
  const silent: Silent[] = [];
  let untried = 0;
  for (const instance of instances) {
    const outcome = lastOf(instance, tools);
    if (outcome === null) untried++;
    else if (outcome !== Outcome.ok) silent.push({ instance, outcome });
  }
  return { silent, untried };
}

/** Of the last question to one; null where none has come to an end. */
export function lastOf(instance: Instance, { asker }: ProbeTools): Outcome | null {
  const contact = asker?.known(instance);
  // Whoever is not asked any more has an outcome too, and nothing in a row.
  return contact && (contact.inRow > 0 || contact.outcome === Outcome.ok) ? contact.outcome : null;
}

/** What somebody can do most about comes first. */
const ORDER: readonly Lacking[] = [
  ...[Outcome.notPermitted, Outcome.notConfigured, Outcome.malformed, Outcome.timeout, Outcome.ioError, Outcome.tooLarge, Outcome.busy],
  ...[Outcome.unsupported, Outcome.lockdown, Outcome.migrating, Outcome.gone],
];

/** Reasons that occur, in a fixed order. */
export const reasonsOf = (silent: readonly Silent[]): readonly Lacking[] =>
  ORDER.filter((outcome) => silent.some((one) => one.outcome === outcome));

/** `2 do not answer: k (malformed), l (not_configured)` */
export function silenceWords(silent: readonly Silent[]): string {
  const words = silent.map(({ instance: { id }, outcome }) => `${id} (${outcomeWords(outcome).reason})`).sort();
  const more = words.length > NAMED ? `, and ${words.length - NAMED} more` : '';
  return `${silent.length} ${silent.length === 1 ? 'does' : 'do'} not answer: ${words.slice(0, NAMED).join(', ')}${more}`;
}

/**
 * A door that was given to this agent and does not open is to be repaired. One that others use too may be taken for a while, and a VMM that
 * migrates or does not know the question is not broken.
 * @param isShared whether others may be at this VMM's door rightly
 */
export function needOf(silent: readonly Silent[], isShared: (instance: Instance) => boolean): Need {
  const passes: readonly Lacking[] = [Outcome.migrating, Outcome.unsupported, Outcome.gone];
  const isBroken = ({ instance, outcome }: Silent): boolean =>
    !passes.includes(outcome) && !(outcome === Outcome.busy && isShared(instance));
  return silent.some(isBroken) ? 'required' : 'optional';
}

/** What to do, reason by reason. @param malformed what a VMM of this kind may be that talks otherwise than it should */
export async function silenceFix(silent: readonly Silent[], malformed: string, tools: ProbeTools): Promise<Fix> {
  const reasons = reasonsOf(silent);
  const own = reasons.includes(Outcome.notPermitted) ? await ownProcess(tools) : null;
  const remedies = reasons.map((reason) => {
    const first = silent.find(({ outcome }) => outcome === reason)?.instance;
    const remedy = remedyOf(reason, { own, malformed, id: first?.id ?? 'ID', pid: String(first?.current?.pid ?? 'PID') });
    return reasons.length === 1 ? remedy : { ...remedy, text: `${outcomeWords(reason).reason}: ${remedy.text}` };
  });
  return {
    text: `${remedies.map(({ text }) => text).join(' ')} A VMM that did not answer is asked again within five minutes.`,
    steps: remedies.flatMap(({ steps }) => steps),
  };
}

interface About {
  readonly own: OwnProcess | null;
  readonly malformed: string;
  /** Of the first such VM. */
  readonly id: string;
  readonly pid: string;
}

function remedyOf(reason: Lacking, { own, malformed, id, pid }: About): Fix {
  switch (reason) {
    case Outcome.notPermitted:
      return refusedFix(own, pid);
    case Outcome.busy:
      return fix(
        'Somebody else is connected: another vmgauge, or a tool that stayed. A monitor serves one client: end that one, or give the VMM one more monitor.',
        ['shell', `ss -xp | grep pid=${pid},`],
      );
    case Outcome.timeout:
      return fix(
        'The VMM hangs, stopped by a signal or waiting for storage: look what its threads wait for.',
        ['shell', `ps -L -o tid,stat,wchan:32,comm -p ${pid}`],
        ['shell', `vmgauge stats ${id}`],
      );
    case Outcome.malformed:
      return fix(malformed, ['shell', `tr '\\0' ' ' < /proc/${pid}/cmdline`]);
    case Outcome.notConfigured:
      return fix(
        'The file of its socket is gone or is of another VM: two VMs were given the same path, or something cleans that directory. Start the VM again, with a path of its own.',
        ['shell', `tr '\\0' ' ' < /proc/${pid}/cmdline`],
        ['shell', `ss -xlp | grep pid=${pid},`],
      );
    default:
      return fix('The log of the agent says when it began.', ['shell', `journalctl --unit=vmgauge | grep "VMM of ${id}"`]);
  }
}
