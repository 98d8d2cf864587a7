import { ConfigError, quoted } from './config-error.js';
import type { Declaration } from './declarations.js';
import type { Given, GivenSettings } from './given.js';

/** Command words, the first is what a bare `vmgauge` does. */
export const COMMANDS = [{ name: 'serve', help: 'Run the agent until SIGTERM. This is the command when none is given.' }] as const;
export type CommandName = (typeof COMMANDS)[number]['name'];

export type Arguments =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: CommandName; readonly given: GivenSettings };

/** Reads `[command] [flags]`. @throws ConfigError */
export function readArguments(argv: readonly string[], declared: readonly Declaration[]): Arguments {
  // A value never begins with two dashes unless it is written --x=--y, so these words are never a value.
  if (argv.includes('--help') || argv.includes('-h')) return { kind: 'help' };
  if (argv.includes('--version')) return { kind: 'version' };
  const first = argv[0]?.startsWith('-') ? undefined : argv[0];
  const command = COMMANDS.find(({ name }) => name === (first ?? COMMANDS[0].name));
  if (!command) {
    throw new ConfigError(`unknown command ${quoted(first ?? '')}: there is ${COMMANDS.map(({ name }) => name).join(', ')}; see --help`);
  }
  return { kind: command.name, given: readFlags(argv.slice(first === undefined ? 0 : 1), declared) };
}

function readFlags(words: readonly string[], declared: readonly Declaration[]): GivenSettings {
  const given = new Map<string, Given>();
  for (let i = 0; i < words.length; i++) {
    const flag = readFlag(words[i], declared);
    const origin = `flag --${flag.declaration.key}`;
    const text = flag.text ?? words[++i];
    if (text === undefined || (flag.text === undefined && text.startsWith('--'))) {
      throw new ConfigError(`${flag.declaration.key}: needs a value (${origin})`);
    }
    add(given, flag.declaration, { texts: [text], origin });
  }
  return given;
}

/** `text` undefined: the value is the next word. */
function readFlag(word: string, declared: readonly Declaration[]): { declaration: Declaration; text: string | undefined } {
  if (!word.startsWith('-')) throw new ConfigError(`unexpected argument ${quoted(word)}: settings are written --name=value`);
  const [, name, text] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
  const declaration = declared.find(({ key }) => key === name);
  if (declaration) return { declaration, text: text ?? (declaration.kind.placeholder === null ? 'true' : undefined) };
  const negated = declared.find(({ key, kind }) => kind.placeholder === null && `no-${key}` === name);
  if (!negated) throw new ConfigError(`unknown flag ${quoted(word.split('=', 1)[0])}: see --help`);
  if (text !== undefined)
    throw new ConfigError(`${negated.key}: ${quoted(text)} cannot follow a flag that says no (flag --no-${negated.key})`);
  return { declaration: negated, text: 'false' };
}

/** Lists grow; of anything else there is one, so that a forgotten flag in a unit file is noticed. */
function add(given: Map<string, Given>, { key, kind }: Declaration, next: Given): void {
  const before = given.get(key);
  if (before && !kind.repeatable)
    throw new ConfigError(`${key}: ${quoted(next.texts[0])} is given after ${quoted(before.texts[0])} (${next.origin})`);
  given.set(key, { ...next, texts: [...(before?.texts ?? []), ...next.texts] });
}
