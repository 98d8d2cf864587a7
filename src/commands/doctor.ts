import { onTerminal } from '../model/terminal.js';
import { type Answers, objectIn } from './answers.js';

const PATH = '/capabilities';
const RED = 31;
const GREEN = 32;
const YELLOW = 33;
const BOLD = 1;
const DIM = 2;
const TEXT_WIDTH = 120;

/** Groups of the report, the worst first. */
const GROUPS = [
  { title: 'To repair', mark: '✗', colour: RED, is: ({ status, need }: Entry) => status !== 'ok' && need === 'required' },
  { title: 'VMs would show more with', mark: '!', colour: YELLOW, is: ({ status, need }: Entry) => status !== 'ok' && need === 'optional' },
  { title: 'Not there, and nothing that is seen asks for it', mark: '-', colour: DIM, is: ({ status }: Entry) => status !== 'ok' },
  { title: 'Works', mark: '✓', colour: GREEN, is: ({ status }: Entry) => status === 'ok' },
] as const;

/** One capability as the document has it. */
interface Entry {
  readonly name: string;
  readonly status: string;
  readonly reason: string | null;
  readonly need: string;
  readonly gives: string;
  readonly detail: string;
  readonly text: string | null;
  readonly steps: readonly { readonly where: string; readonly line: string }[];
  readonly count: number;
  readonly first: readonly string[];
}

export interface Diagnosis {
  /** The document as the route sends it. */
  readonly json: string;
  readonly healthy: boolean;
  readonly entries: readonly Entry[];
}

/** What the route says, understood as far as the report needs it. */
export async function diagnose(answers: Answers): Promise<Diagnosis> {
  await answers.prepareSurvey();
  const answer = await answers.get(PATH);
  if ('problem' in answer) return answers.refused(answer.problem);
  const document = objectIn(answer.body) ?? {};
  const [healthy, capabilities]: unknown[] = ['healthy', 'capabilities'].map((name) => Reflect.get(document, name));
  if (typeof healthy !== 'boolean' || !Array.isArray(capabilities) || !capabilities.every(isObject)) return answers.strange();
  return { json: answer.body.toString('utf8').trim(), healthy, entries: capabilities.map(entryOf) };
}

/** The report for people. Whatever stands in the document is made harmless before it is coloured. @param where that was asked, or null */
export function doctorText({ entries, healthy }: Diagnosis, where: string | null, inColour: boolean): string {
  const paint = (colour: number, text: string): string => (inColour ? `\u001b[${colour}m${text}\u001b[0m` : text);
  const width = Math.max(...entries.map(({ name }) => onTerminal(name).length));
  const rest = new Set(entries);
  const groups = GROUPS.map(({ is, ...group }) => {
    const own = [...rest].filter(is);
    for (const entry of own) rest.delete(entry);
    return { ...group, own };
  });
  const blocks = groups
    .filter(({ own }) => own.length > 0)
    .map(({ title, mark, colour, own }) => {
      const isShort = mark === '✓' || mark === '-';
      const lines = own.flatMap((entry) => [
        `  ${paint(colour, mark)} ${onTerminal(entry.name).padEnd(width)}  ${onTerminal(withReason(entry))}`,
        ...(isShort ? [] : remedy(entry, width).map((line) => paint(DIM, line))),
      ]);
      return [paint(BOLD, title), ...lines].join('\n');
    });
  const asked = where === null ? 'This host was looked at without an agent.' : `The agent at ${onTerminal(where)} was asked.`;
  const works = groups[1].own.length === 0 ? 'All that is needed works.' : 'All that is needed works; what is marked ! would show more.';
  const end = healthy ? works : 'Something that is needed is missing.';
  return `${[asked, ...blocks, `${end} ${hint(groups[2].own.length)}`.trim()].join('\n\n')}\n`;
}

const hint = (hidden: number): string => (hidden === 0 ? '' : 'What is not there has a fix too: --json tells it.');

const withReason = ({ reason, detail }: Entry): string => (reason === null ? detail : `${reason}: ${detail}`);

/** Lines below an entry, aligned with what stands behind its name. */
function remedy({ gives, text, steps, count, first }: Entry, width: number): string[] {
  const indent = ' '.repeat(width + 6);
  const places = Math.max(0, ...steps.map(({ where }) => onTerminal(where).length));
  const more = count > first.length ? `, and ${count - first.length} more` : '';
  return [
    `${indent}for: ${onTerminal(gives)}`,
    ...(count > 0 ? [`${indent}VMs: ${onTerminal(first.join(', '))}${more}`] : []),
    ...(text === null ? [] : wrapped(`fix: ${onTerminal(text)}`).map((line, i) => `${indent}${i === 0 ? '' : '     '}${line}`)),
    ...steps.map(({ where, line }) => `${indent}     ${onTerminal(where).padEnd(places)}  ${onTerminal(line)}`),
  ];
}

/** Text in lines of words, none longer than a reader follows; lines to copy are never broken. */
function wrapped(text: string): readonly string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.length - 1;
    if (lines[last] === '') lines[last] = word;
    else if (lines[last].length + word.length < TEXT_WIDTH) lines[last] += ` ${word}`;
    else lines.push(word);
  }
  return lines;
}

function entryOf(capability: object): Entry {
  const [fix, affects] = [member(capability, 'fix'), member(capability, 'affects')];
  const steps: unknown = Reflect.get(fix, 'steps');
  const first: unknown = Reflect.get(affects, 'first');
  const count: unknown = Reflect.get(affects, 'count');
  return {
    name: word(capability, 'name') ?? '?',
    status: word(capability, 'status') ?? 'failed',
    reason: word(capability, 'reason'),
    need: word(capability, 'need') ?? 'required',
    gives: word(capability, 'gives') ?? '',
    detail: word(capability, 'detail') ?? '',
    text: word(fix, 'text'),
    steps: Array.isArray(steps)
      ? steps.filter(isObject).map((step) => ({ where: word(step, 'where') ?? '', line: word(step, 'line') ?? '' }))
      : [],
    count: typeof count === 'number' ? count : 0,
    first: Array.isArray(first) ? first.map(String) : [],
  };
}

function member(record: object, name: string): object {
  const value: unknown = Reflect.get(record, name);
  return isObject(value) ? value : {};
}

function word(record: object, name: string): string | null {
  const value: unknown = Reflect.get(record, name);
  return typeof value === 'string' ? value : null;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
