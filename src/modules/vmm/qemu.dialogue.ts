import type { Dialogue } from './dialogue.js';
import { QEMU } from './qmp/dialect.js';
import { qmpDialogue } from './qmp/qmp-dialogue.js';

/** QEMU, over a monitor that is for us or free at the moment. */
export const qemuDialogue: Dialogue = qmpDialogue('qemu', QEMU);
