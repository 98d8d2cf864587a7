import { bytes, UNKNOWN } from '../modules/web/readable.js';
import { starterCommand } from '../modules/web/starter.js';
import { type Answers, objectIn } from './answers.js';

const HEAD = ['ID', 'NAME', 'HYPERVISOR', 'STATE', 'PID', 'VCPUS', 'MEMORY', 'SOURCE', 'AGE'];
const NUMBERS: ReadonlySet<string> = new Set(['PID', 'VCPUS', 'MEMORY', 'AGE']);
/** Far more than fit on a host; a server that always has a further page is none of ours. */
const MAX_PAGES = 1000;

interface Page {
  readonly instances: readonly object[];
  readonly next: string | null;
}

/** All instances, page by page, by id. */
export async function allInstances(answers: Answers): Promise<readonly object[]> {
  const instances: object[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < MAX_PAGES; page++) {
    const answer = await answers.get(cursor === null ? '/instances' : `/instances?cursor=${encodeURIComponent(cursor)}`);
    if ('problem' in answer) return answers.refused(answer.problem);
    const { instances: some, next } = pageIn(answer.body) ?? answers.strange();
    instances.push(...some);
    cursor = next;
    if (cursor === null) return instances;
  }
  return answers.strange();
}

function pageIn(body: Buffer): Page | undefined {
  const document = objectIn(body) ?? {};
  const instances: unknown = Reflect.get(document, 'instances');
  const next: unknown = Reflect.get(document, 'next_cursor');
  if (!Array.isArray(instances) || !instances.every(isObject) || (next !== null && typeof next !== 'string')) return undefined;
  return { instances, next };
}

/** The table; where there is nothing to list, what to do about it. @param nowMs since 1970, for the age */
export function listText(instances: readonly object[], url: string | null, nowMs: number): string {
  if (instances.length === 0) return nothing(url);
  const lines = [HEAD, ...instances.map((instance) => cells(instance, nowMs))];
  const widths = HEAD.map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  const pad = (cell: string, i: number): string => (NUMBERS.has(HEAD[i]) ? cell.padStart(widths[i]) : cell.padEnd(widths[i]));
  return lines.map((line) => `${line.map(pad).join('  ').trimEnd()}\n`).join('');
}

const nothing = (url: string | null): string =>
  'No virtual machine is found on this host. Start one, and it is listed:\n\n' +
  `  ${starterCommand()} &\n${url === null ? '' : `\n${url} says where the agent looks and what stands in its way.\n`}`;

function cells(instance: object, nowMs: number): string[] {
  const allocated: unknown = Reflect.get(instance, 'allocated');
  const given = isObject(allocated) ? allocated : {};
  const memory: unknown = Reflect.get(given, 'memory_bytes');
  return [
    ...['id', 'name', 'hypervisor', 'state', 'pid'].map((name) => word(instance, name)),
    word(given, 'vcpus'),
    bytes(typeof memory === 'number' ? memory : null),
    word(instance, 'source'),
    word(instance, 'pid') === UNKNOWN ? UNKNOWN : age(nowMs - Date.parse(word(instance, 'started_at'))),
  ];
}

function word(record: object, name: string): string {
  const value: unknown = Reflect.get(record, name);
  return typeof value === 'string' || typeof value === 'number' ? String(value) : UNKNOWN;
}

/** `45s`, `12m`, `3h12m`, `5d4h`: the two largest units. */
export function age(ms: number): string {
  if (!Number.isFinite(ms)) return UNKNOWN;
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [minutes, hours, days] = [60, 3600, 86_400].map((unit) => Math.floor(seconds / unit));
  if (minutes === 0) return `${seconds}s`;
  if (hours === 0) return `${minutes}m`;
  if (days === 0) return `${hours}h${minutes % 60}m`;
  return `${days}d${hours % 24}h`;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
