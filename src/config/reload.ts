import { Config } from './config.js';
import { ConfigError } from './config-error.js';
import { type Declaration, declarations, valueIn } from './declarations.js';
import { type ConfigInput, loadConfig } from './load.js';

/** What reading the file again came to. */
export interface Reloaded {
  /** The old one with the new values of all settings that can change while the agent runs. */
  readonly config: Config;
  /** Keys whose new value is in `config`. */
  readonly changed: readonly string[];
  /** Keys that have another value now but keep the old one until a restart. */
  readonly needRestart: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Reads the file again under the same flags and environment. All of it must be good, also what needs a restart: a file that would stop
 * the next start is told now. @throws ConfigError; the caller then keeps what it has
 */
export function reloadConfig(current: Config, input: ConfigInput): Reloaded {
  const fresh = loadConfig(input);
  if (!('config' in fresh)) throw new ConfigError(`--${fresh.kind} has no configuration to read again`);
  const upstreams = [...new Set([...current.upstreams.keys(), ...fresh.config.upstreams.keys()])];
  const different = declarations(input.known, upstreams).filter(
    (declaration) => shown(declaration, current) !== shown(declaration, fresh.config),
  );
  const changed = different.filter(({ reload }) => reload);
  return {
    config: Object.freeze(Object.assign(new Config(), current, ...changed.map((declaration) => entryOf(declaration, fresh.config)))),
    changed: changed.map(({ key }) => key),
    needRestart: different.filter(({ reload }) => !reload).map(({ key }) => key),
    warnings: fresh.warnings,
  };
}

const shown = (declaration: Declaration, config: Config): string => declaration.kind.format(valueIn(config, declaration));

/** Toggles are never reloadable, so only properties come here. */
function entryOf(declaration: Declaration, config: Config): Record<string, unknown> {
  return 'property' in declaration.target ? { [declaration.target.property]: valueIn(config, declaration) } : {};
}
