import { validateSync } from 'class-validator';
import { type CommandLine, readArguments } from './arguments.js';
import { checkTogether } from './checks.js';
import type { CommandName } from './commands.js';
import { Config } from './config.js';
import { ConfigError, quoted, reasonOf } from './config-error.js';
import { type Declaration, declarations, type Known } from './declarations.js';
import { type Environment, readEnvironment } from './environment.js';
import { readSettingsFile } from './file.js';
import { badValue, type GivenSettings } from './given.js';

/** Everything the outside says; nothing else is read. */
export interface ConfigInput {
  /** Without the program's own two words: `process.argv.slice(2)`. */
  readonly argv: readonly string[];
  readonly env: Environment;
  /** The whole file as text, with a size limit of the caller's. May throw. */
  readonly readFile: (path: string) => string;
  readonly known: Known;
}

/** What the command line asks for. */
export type Invocation = { readonly kind: 'help'; readonly command: CommandName } | { readonly kind: 'version' } | Call;

/** A command with everything that is said for it. */
export interface Call extends Pick<CommandLine, 'kind' | 'operand' | 'options'> {
  readonly config: Config;
  readonly warnings: readonly string[];
  /** Keys of the settings that flags give. */
  readonly flags: readonly string[];
}

/** Flags, environment and YAML file → frozen, validated Config. @throws ConfigError with one line */
export function loadConfig(input: ConfigInput): Invocation {
  const declared = declarations(input.known);
  const command = readArguments(input.argv, declared);
  if (!('given' in command)) return command;
  const environment = readEnvironment(input.env, declared);
  const direct = new Map([...environment.given, ...command.given]);
  // The later wins: file, environment, flag.
  const given = new Map([...readFile(input, direct, declared), ...direct]);
  const config = build(declared, given);
  const { kind, operand, options } = command;
  // Who may reach a listener is a matter of the one that listens.
  const warnings = [...environment.warnings, ...(kind === 'serve' ? checkTogether(config, given) : [])];
  return { kind, operand, options, config, warnings, flags: [...command.given.keys()] };
}

function readFile({ readFile }: ConfigInput, direct: GivenSettings, declared: readonly Declaration[]): GivenSettings {
  const file = direct.get('config.file');
  const [path] = file?.texts ?? [''];
  if (!file || path === '') return new Map();
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    throw new ConfigError(`config.file: ${quoted(path)} cannot be read: ${reasonOf(error)} (${file.origin})`);
  }
  return readSettingsFile(path.replace(/\p{Cc}/gu, '?'), text, declared);
}

function build(declared: readonly Declaration[], given: GivenSettings): Config {
  const values: Record<string, unknown> = {};
  const maps = { collectors: new Map<string, boolean>(), sources: new Map<string, boolean>() };
  for (const declaration of declared) {
    const value = parseGiven(declaration, given);
    const { target } = declaration;
    if ('map' in target) maps[target.map].set(target.name, value === true);
    else values[target.property] = value;
  }
  const config = Object.assign(new Config(), values, maps);
  validate(config, declared, given);
  return Object.freeze(config);
}

function parseGiven(declaration: Declaration, given: GivenSettings): unknown {
  const written = given.get(declaration.key);
  if (!written) return declaration.fallback;
  const value = declaration.kind.parse(written.texts);
  if (value === undefined) throw badValue(declaration, written, declaration.kind.must);
  return value;
}

/** class-validator's verdict as one line: of the first setting in the order declared. */
function validate(config: Config, declared: readonly Declaration[], given: GivenSettings): void {
  const errors = new Map(validateSync(config).map(({ property, constraints }) => [property, Object.values(constraints ?? {})[0]]));
  for (const declaration of declared) {
    const must = 'property' in declaration.target ? errors.get(declaration.target.property) : undefined;
    if (must === undefined) continue;
    throw badValue(
      declaration,
      given.get(declaration.key) ?? { texts: [declaration.kind.format(declaration.fallback)], origin: 'default' },
      must,
    );
  }
}
