import type { InstanceState } from '../../../model/instance.js';
import { known } from '../../../model/known.js';
import { type AllocatedMemory, type Balloon, type VcpuThread, VMM_STATES, type VmmState, type VmmStateWord } from '../answer.js';
import { countOf, fieldsIn, fieldsOf } from '../json-fields.js';
import type { Dialect } from './dialect.js';

/** RunState (qapi/run-state.json) in the house's words. */
const STATES: Readonly<Record<VmmStateWord, InstanceState>> = {
  inmigrate: 'initializing',
  prelaunch: 'created',
  preconfig: 'created',
  running: 'running',
  colo: 'running',
  paused: 'paused',
  debug: 'paused',
  'finish-migrate': 'paused',
  postmigrate: 'paused',
  'save-vm': 'paused',
  'restore-vm': 'initializing',
  suspended: 'suspended',
  shutdown: 'shutdown',
  'internal-error': 'degraded',
  'io-error': 'degraded',
  'guest-panicked': 'degraded',
  watchdog: 'degraded',
  created: 'created',
  breakpoint: 'paused',
  'not-started': 'created',
  other: 'unknown',
};

const isWord = (text: unknown): text is VmmStateWord => VMM_STATES.some((word) => word === text);

/** Of query-status; all parsers here give undefined for what has not the shape of an answer. */
export function parseStatus(value: unknown): VmmState | undefined {
  const status = fieldsOf(value)?.status;
  if (typeof status !== 'string') return undefined;
  const word = isWord(status) ? status : 'other';
  return { word, state: STATES[word] };
}

/** Of query-cpus-fast, or query-cpus of StratoVirt. */
export function parseCpus(value: unknown, { cpus: names }: Dialect): readonly VcpuThread[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return fieldsIn(value).flatMap((cpu) => {
    const [index, threadId] = [countOf(cpu[names.index]), countOf(cpu[names.threadId])];
    return index === undefined || threadId === undefined || threadId === 0 ? [] : [{ index, threadId }];
  });
}

/** Of query-memory-size-summary, which the balloon does not move. */
export function parseMemorySize(value: unknown): AllocatedMemory | undefined {
  const base = countOf(fieldsOf(value)?.['base-memory']);
  if (base === undefined) return undefined;
  // Missing where the target cannot have any (qapi/machine.json).
  const plugged = countOf(fieldsOf(value)?.['plugged-memory']);
  return known<AllocatedMemory>({ bytes: base + (plugged === undefined ? 0 : plugged), hotpluggedBytes: plugged });
}

/** Of query-balloon: what is left to the guest. */
export function parseBalloon(value: unknown): Balloon | undefined {
  const actualBytes = countOf(fieldsOf(value)?.actual);
  return actualBytes === undefined ? undefined : { actualBytes };
}
