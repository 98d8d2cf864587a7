import { COMMANDS, type Command, type CommandName } from './commands.js';
import { ConfigError, quoted } from './config-error.js';
import type { Declaration } from './declarations.js';
import { badValue, type Given, type GivenSettings, shownTexts } from './given.js';
import type { Vocabulary } from './vocabulary.js';

export type Arguments = { readonly kind: 'help'; readonly command: CommandName } | { readonly kind: 'version' } | CommandLine;

/** A command and what is said with it. */
export interface CommandLine {
  readonly kind: CommandName;
  readonly given: GivenSettings;
  /** The word behind the command; empty where there is none. */
  readonly operand: string;
  /** Values of the command's own flags; what is not given and has no default is missing. */
  readonly options: ReadonlyMap<string, string>;
}

type Flag = Pick<Declaration, 'key' | 'kind'>;

/** Reads `[command] [operand] [flags]`. @throws ConfigError */
export function readArguments(argv: readonly string[], vocabulary: Vocabulary): Arguments {
  const first = argv[0]?.startsWith('-') ? undefined : argv[0];
  const command = COMMANDS.find(({ name }) => name === (first ?? COMMANDS[0].name));
  // A value never begins with two dashes unless it is written --x=--y, so these words are never a value.
  if (argv.includes('--help') || argv.includes('-h')) return { kind: 'help', command: command?.name ?? COMMANDS[0].name };
  if (argv.includes('--version')) return { kind: 'version' };
  if (!command) {
    throw new ConfigError(`unknown command ${quoted(first ?? '')}: there is ${COMMANDS.map(({ name }) => name).join(', ')}; see --help`);
  }
  const { operands, own, given } = readWords(argv.slice(first === undefined ? 0 : 1), command, vocabulary);
  return { kind: command.name, given, operand: onlyOperand(operands, command), options: readOptions(own, command) };
}

interface Words {
  readonly operands: string[];
  /** Flags of the command itself. */
  readonly own: Map<string, Given>;
  readonly given: Map<string, Given>;
}

function readWords(words: readonly string[], command: Command, vocabulary: Vocabulary): Words {
  const read: Words = { operands: [], own: new Map(), given: new Map() };
  for (let i = 0; i < words.length; i++) {
    if (!words[i].startsWith('-')) {
      read.operands.push(words[i]);
      continue;
    }
    const { flag, text: attached } = readFlag(words[i], command, vocabulary);
    const origin = `flag --${flag.key}`;
    const text = attached ?? words[++i];
    if (text === undefined || (attached === undefined && text.startsWith('--'))) {
      throw new ConfigError(`${flag.key}: needs a value (${origin})`);
    }
    add(command.flags.some(({ key }) => key === flag.key) ? read.own : read.given, flag, { texts: [text], origin });
  }
  return read;
}

/** `text` undefined: the value is the next word. */
function readFlag(word: string, command: Command, vocabulary: Vocabulary): { flag: Flag; text: string | undefined } {
  const [, name = '', text] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
  const flagOf = (wanted: string): Flag | undefined => command.flags.find(({ key }) => key === wanted) ?? vocabulary.declaration(wanted);
  const flag = flagOf(name);
  if (flag) return { flag, text: text ?? (flag.kind.placeholder === null ? 'true' : undefined) };
  const negated = name.startsWith('no-') ? flagOf(name.slice('no-'.length)) : undefined;
  if (negated?.kind.placeholder !== null) {
    const owner = COMMANDS.find(({ flags: own }) => own.some(({ key }) => key === name));
    throw new ConfigError(
      `unknown flag ${quoted(word.split('=', 1)[0])}: ${owner ? `it belongs to ${owner.name}` : vocabulary.whyUnknown(name) || 'see --help'}`,
    );
  }
  if (text !== undefined)
    throw new ConfigError(`${negated.key}: ${quoted(text)} cannot follow a flag that says no (flag --no-${negated.key})`);
  return { flag: negated, text: 'false' };
}

/** Lists grow; of anything else there is one, so that a forgotten flag in a unit file is noticed. */
function add(given: Map<string, Given>, flag: Flag, next: Given): void {
  const { key, kind } = flag;
  const before = given.get(key);
  if (before && !kind.repeatable) {
    const [later, earlier] = [next, before].map(({ texts }) => quoted(shownTexts(flag, texts)));
    throw new ConfigError(`${key}: ${later} is given after ${earlier} (${next.origin})`);
  }
  given.set(key, { ...next, texts: [...(before?.texts ?? []), ...next.texts] });
}

/** None is no usage error: the command has its own word for an id that is not there. */
function onlyOperand(operands: readonly string[], { name, operand }: Command): string {
  const surplus = operand ? operands[1] : operands[0];
  if (surplus === undefined) return operands[0] ?? '';
  if (operand) throw new ConfigError(`unexpected argument ${quoted(surplus)}: ${name} takes one ${operand.placeholder}`);
  const late = COMMANDS.some((command) => command.name === surplus);
  throw new ConfigError(
    `unexpected argument ${quoted(surplus)}: ${late ? 'the command comes first' : 'settings are written --name=value'}`,
  );
}

function readOptions(own: ReadonlyMap<string, Given>, { flags }: Command): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (const { key, kind, fallback } of flags) {
    const given = own.get(key);
    const value = given ? kind.parse(given.texts) : fallback;
    if (value === undefined) throw badValue({ key }, given ?? { texts: [], origin: 'default' }, kind.must);
    if (value !== null) options.set(key, value);
  }
  return options;
}
