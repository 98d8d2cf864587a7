import { validateSync } from 'class-validator';
import { type CommandLine, readArguments } from './arguments.js';
import { checkTogether } from './checks.js';
import type { CommandName } from './commands.js';
import { Config } from './config.js';
import { ConfigError, quoted, reasonOf } from './config-error.js';
import { type Declaration, declarations, type Known } from './declarations.js';
import { type Environment, readEnvironment } from './environment.js';
import { readSettingsFile } from './file.js';
import { badValue, type Given, type GivenSettings } from './given.js';
import { checkNumber, checkUpstreams } from './upstream-checks.js';
import { UpstreamConfig } from './upstream-config.js';
import { upstreamsIn, Vocabulary } from './vocabulary.js';

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
  const vocabulary = new Vocabulary(input.known);
  const command = readArguments(input.argv, vocabulary);
  if (!('given' in command)) return command;
  const environment = readEnvironment(input.env, vocabulary);
  const direct = new Map([...environment.given, ...command.given]);
  // The later wins: file, environment, flag.
  const given = new Map([...readFile(input, direct, vocabulary), ...direct]);
  const upstreams = upstreamsIn(given.keys());
  checkNumber(upstreams);
  const config = build(declarations(input.known, upstreams), given, upstreams);
  checkUpstreams(config.upstreams, given);
  const { kind, operand, options } = command;
  // Who may reach a listener is a matter of the one that listens.
  const warnings = [...environment.warnings, ...(kind === 'serve' ? checkTogether(config, given) : [])];
  return { kind, operand, options, config, warnings, flags: [...command.given.keys()] };
}

function readFile({ readFile }: ConfigInput, direct: GivenSettings, vocabulary: Vocabulary): GivenSettings {
  const file = direct.get('config.file');
  const [path] = file?.texts ?? [''];
  if (!file || path === '') return new Map();
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    throw new ConfigError(`config.file: ${quoted(path)} cannot be read: ${reasonOf(error)} (${file.origin})`);
  }
  return readSettingsFile(path.replace(/\p{Cc}/gu, '?'), text, vocabulary);
}

function build(declared: readonly Declaration[], given: GivenSettings, names: readonly string[]): Config {
  const values: Record<string, unknown> = {};
  const upstreams = new Map(names.map((name) => [name, new UpstreamConfig()]));
  const maps = { collectors: new Map<string, boolean>(), sources: new Map<string, boolean>(), upstreams };
  for (const declaration of declared) {
    const value = parseGiven(declaration, given);
    const { target } = declaration;
    if ('map' in target) maps[target.map].set(target.name, value === true);
    else if ('upstream' in target) Object.assign(upstreams.get(target.upstream) ?? {}, { [target.member]: value });
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
  const own = complaintsAbout(config);
  const upstreams = new Map([...config.upstreams].map(([name, upstream]) => [name, complaintsAbout(upstream)]));
  for (const declaration of declared) {
    const { target } = declaration;
    if ('map' in target) continue;
    const must = 'property' in target ? own.get(target.property) : upstreams.get(target.upstream)?.get(target.member);
    if (must !== undefined) throw badValue(declaration, given.get(declaration.key) ?? defaultOf(declaration), must);
  }
}

/** By property. */
function complaintsAbout(config: object): ReadonlyMap<string, string> {
  return new Map(validateSync(config).map(({ property, constraints }) => [property, Object.values(constraints ?? {})[0]]));
}

const defaultOf = ({ kind, fallback }: Declaration): Given => ({ texts: [kind.format(fallback)], origin: 'default' });
