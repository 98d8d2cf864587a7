import { WIRE_TYPES, type WireType } from './wire-types.js';

const TYPE_LINE = /^#[ \t]+TYPE[ \t]+([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]+([a-z]+)[ \t]*$/;
export const MAX_COMMENT_BYTES = 1400;
/** What is not a letter to a reader of help. */
const CONTROL_CHARACTERS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/g;

/** What a comment says if it is the HELP of this family. By hand: no word of it is looked at twice, however many blanks there are. */
export function helpOf(comment: string, ownName: string): string | undefined {
  let at = 1;
  for (const word of ['HELP', ownName]) {
    const from = afterBlanks(comment, at);
    if (from === at || !comment.startsWith(word, from)) return undefined;
    at = from + word.length;
  }
  const from = afterBlanks(comment, at);
  if (from === at || from === comment.length) return undefined;
  const help = comment.slice(from).replace(/\\([\\n])/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped));
  return help.replace(CONTROL_CHARACTERS, '?');
}

function afterBlanks(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t') at++;
  return at;
}

/** What a comment says if it is a TYPE. */
export function typeOf(comment: string): { readonly name: string; readonly type: WireType } | undefined {
  const [, name, word] = TYPE_LINE.exec(comment) ?? [];
  return name === undefined ? undefined : { name, type: wireType(word) };
}

function wireType(word: string): WireType {
  const type: string = word === 'untyped' ? 'unknown' : word;
  return WIRE_TYPES.find((known) => known === type) ?? 'unknown';
}
