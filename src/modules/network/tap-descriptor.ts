import type { Nic } from '../../model/instance.js';
import type { HeldProcess } from '../../model/process.js';
import { parseTapName } from '../procfs/fdinfo.js';

/** fdinfo of a tap is five short lines. */
const text = Buffer.allocUnsafeSlow(1024);

/**
 * Whether the process holds the interface of this name now, which nobody can pretend who does not: as long as it does, the device that has
 * the name is its own. 10 µs. @returns undefined where no descriptor is known: a source named the interface, or it is no tap
 */
export function isStillHeld(process: HeldProcess, { name, descriptor }: Nic): boolean | undefined {
  if (descriptor === undefined) return undefined;
  try {
    return parseTapName(text.toString('utf8', 0, process.readOnce(`fdinfo/${descriptor}`, text))) === name;
  } catch {
    return false;
  }
}
