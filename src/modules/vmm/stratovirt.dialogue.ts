import type { Dialogue } from './dialogue.js';
import { STRATOVIRT } from './qmp/dialect.js';
import { qmpDialogue } from './qmp/qmp-dialogue.js';

/** StratoVirt, which speaks a part of QMP and serves one client at a time as QEMU does. */
export const stratovirtDialogue: Dialogue = qmpDialogue('stratovirt', STRATOVIRT);
