import { TRACING_BLOCKS, type TracingBlock } from '../../model/settings.js';
import { isBell } from './trace-child.js';
import { boundedRequest, statesOf, TRACE_CAUSES, type TraceEnd, type TraceRequest } from './trace-source.js';
import { BLOCK_REASONS, type BlockReason, type BlockStates } from './words.js';

/**
 * What the agent and its helper say to each other: lines, each a word and what belongs to it.
 *
 * The agent: `trace {"version":1,"blocks":[…],"intervalMs":…,"slots":…}` once, then `ring 12 34 …`; `end` to hear the last words, or it closes.
 * The helper: `began {"blocks":{…}}`, then `line …` as the program printed it, and at last `ended {…}`; or `refused {…}`, and it closes.
 */
const VERSION = 1;
/** Of a line from the agent. */
export const REQUEST_BYTES = 65_536;
/** Of a line from the helper that is not the program's. */
const ANSWER_LENGTH = 16_384;
const MAX_WORDS = 300;
/** Eleven characters each at most. */
const NUMBERS_A_LINE = 4096;

export const traceLine = ({ blocks, intervalMs, slots }: TraceRequest): string =>
  `trace ${JSON.stringify({ version: VERSION, blocks, intervalMs, slots })}`;

/** A request within bounds. Of blocks that this version does not know, none is traced. @returns null for anything else */
export function requestIn(line: string): TraceRequest | null {
  const said = jsonBehind('trace ', line);
  if (said?.version !== VERSION || !Array.isArray(said.blocks)) return null;
  const wanted: readonly unknown[] = said.blocks;
  const { intervalMs, slots } = said;
  if (typeof intervalMs !== 'number' || typeof slots !== 'number') return null;
  return boundedRequest({ blocks: TRACING_BLOCKS.filter((block) => wanted.includes(block)), intervalMs, slots });
}

export const END_LINE = 'end';

/** Several lines, where they are many. */
export function* ringLines(numbers: readonly number[]): Generator<string> {
  for (let at = 0; at < numbers.length; at += NUMBERS_A_LINE) yield `ring ${numbers.slice(at, at + NUMBERS_A_LINE).join(' ')}`;
}

/** @returns null where any of it is no number to ring with */
export function numbersIn(line: string): readonly number[] | null {
  if (!/^ring( [1-9]\d{0,9})+$/.test(line)) return null;
  const numbers = line.slice('ring '.length).split(' ').map(Number);
  return numbers.every(isBell) ? numbers : null;
}

export type Answer =
  | { readonly began: BlockStates }
  | { readonly refused: { readonly reason: BlockReason; readonly words: string; readonly blocks: BlockStates | null } }
  | { readonly line: string }
  | { readonly ended: TraceEnd };

export function answerLine(answer: Answer): string {
  if ('line' in answer) return `line ${answer.line}`;
  if ('began' in answer) return `began ${JSON.stringify({ blocks: answer.began })}`;
  return 'ended' in answer ? `ended ${JSON.stringify(answer.ended)}` : `refused ${JSON.stringify(answer.refused)}`;
}

/** @returns null for what is none */
export function answerIn(line: string): Answer | null {
  if (line.startsWith('line ')) return { line: line.slice('line '.length) };
  if (line.length > ANSWER_LENGTH) return null;
  const began = jsonBehind('began ', line);
  if (began) {
    const blocks = statesIn(began.blocks);
    return blocks ? { began: blocks } : null;
  }
  const refused = jsonBehind('refused ', line);
  if (refused) return { refused: { reason: reasonIn(refused.reason), words: wordsIn(refused.words), blocks: statesIn(refused.blocks) } };
  const ended = jsonBehind('ended ', line);
  if (!ended) return null;
  const { cause, block, reason, words } = ended;
  return {
    ended: {
      cause: TRACE_CAUSES.find((one) => one === cause) ?? 'exited',
      block: blockIn(block),
      reason: reasonIn(reason),
      words: wordsIn(words),
    },
  };
}

function jsonBehind(word: string, line: string): Readonly<Record<string, unknown>> | null {
  if (!line.startsWith(word)) return null;
  try {
    const said: unknown = JSON.parse(line.slice(word.length));
    return typeof said === 'object' && said !== null && !Array.isArray(said) ? { ...said } : null;
  } catch {
    return null;
  }
}

function statesIn(said: unknown): BlockStates | null {
  if (typeof said !== 'object' || said === null) return null;
  const states: Readonly<Record<string, unknown>> = { ...said };
  // A block that the helper does not know is off there; a reason that is new is some reason.
  return statesOf((block) => (block in states ? (states[block] === null ? null : reasonIn(states[block])) : 'not_wanted'));
}

const reasonIn = (said: unknown): BlockReason => BLOCK_REASONS.find((reason) => reason === said) ?? 'crashed';
const blockIn = (said: unknown): TracingBlock | null => TRACING_BLOCKS.find((block) => block === said) ?? null;
const wordsIn = (said: unknown): string => (typeof said === 'string' ? said.slice(0, MAX_WORDS) : '');
