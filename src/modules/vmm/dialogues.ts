import { cloudHypervisorDialogue } from './cloud-hypervisor.dialogue.js';
import type { Dialogue } from './dialogue.js';
import { dragonballDialogue } from './dragonball.dialogue.js';
import { firecrackerDialogue } from './firecracker.dialogue.js';
import { qemuDialogue } from './qemu.dialogue.js';
import { stratovirtDialogue } from './stratovirt.dialogue.js';

/** THE LIST of dialogues: how a VMM of each kind is asked. A kind that is not here cannot be asked. */
export const DIALOGUES: readonly Dialogue[] = [
  qemuDialogue,
  stratovirtDialogue,
  firecrackerDialogue,
  cloudHypervisorDialogue,
  dragonballDialogue,
];

/** What the asker is given. */
export const VMM_DIALOGUES = Symbol('VMM_DIALOGUES');
