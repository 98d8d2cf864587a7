import type { Hypervisor } from '../../model/instance.js';
import type { Dialogue } from './dialogue.js';

/** THE LIST of dialogues: how a VMM of each kind is asked. A kind that is not here cannot be asked. */
export const DIALOGUES: readonly Dialogue[] = [];

const BY_HYPERVISOR: ReadonlyMap<Hypervisor, Dialogue> = new Map(DIALOGUES.map((dialogue) => [dialogue.hypervisor, dialogue]));

export const dialogueOf = (hypervisor: Hypervisor | undefined): Dialogue | undefined =>
  hypervisor === undefined ? undefined : BY_HYPERVISOR.get(hypervisor);
