/** Identities of Podtrace's families of processes and of our own, and the label `type` as Podtrace's program has it. */
export const SEED = 'traced_process_named';
export const NATIVE = 'traced_process';
export const NET = { type: 'NET' };
export const DNS = { type: 'DNS' };
export const FS = { type: 'FS' };
export const CPU = { type: 'CPU' };
