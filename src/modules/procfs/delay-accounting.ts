import type { Host } from '../../host/host.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { parseBlockIoDelay } from './block-io-delay.js';

/** Below /proc. */
export const DELAY_SWITCH = ['sys', 'kernel', 'task_delayacct'] as const;
const SWITCH_BYTES = 64;
const STAT_BYTES = 4096;

/** What the switch says: ok or notConfigured. */
export const delaySwitched = (text: string): Outcome =>
  text === '1\n' ? Outcome.ok : text === '0\n' ? Outcome.notConfigured : Outcome.malformed;

/** Whether the stat line of init shows that the kernel counts; where it does not nobody can tell. */
export const delayShown = (stat: string): boolean => (parseBlockIoDelay(stat)?.blockIoDelayTicks ?? Number.NaN) > 0;

/**
 * Whether the kernel counts what tasks wait for (kernel, Documentation/accounting/delay-accounting.rst). Since Linux 5.14 there is a switch, off
 * at boot unless its command line has `delayacct`. Before, it was fixed at boot, and nothing says how: there a delay of init, which has read from
 * some disk, shows that it counts.
 * @returns ok, notConfigured where it is off; unsupported where nobody can tell; or why the switch cannot be read
 */
export function delayAccounting(host: Host): Outcome {
  try {
    return delaySwitched(host.readText(host.proc(...DELAY_SWITCH), SWITCH_BYTES));
  } catch (error) {
    const outcome = outcomeOfErrno(error);
    if (outcome !== Outcome.gone) return outcome;
    return delayShown(host.tryReadText(host.proc('1', 'stat'), STAT_BYTES) ?? '') ? Outcome.ok : Outcome.unsupported;
  }
}
