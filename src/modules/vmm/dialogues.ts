import type { Dialogue } from './dialogue.js';

/** THE LIST of dialogues: how a VMM of each kind is asked. A kind that is not here cannot be asked. */
export const DIALOGUES: readonly Dialogue[] = [];

/** What the asker is given. */
export const VMM_DIALOGUES = Symbol('VMM_DIALOGUES');
