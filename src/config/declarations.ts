import { Config } from './config.js';
import { bool } from './kind.js';
import { type DeclaredSetting, environmentName, settingsOf } from './setting.js';

/** A collector or source that can be switched on and off. */
export interface Toggle {
  readonly name: string;
  /** Whether it is on when nobody says anything. */
  readonly enabled: boolean;
  readonly help: string;
}

/** The toggles of this build; THE LISTs stand in other rooms, so the caller hands them over. */
export interface Known {
  readonly collectors: readonly Toggle[];
  readonly sources: readonly Toggle[];
}

/** A setting or a toggle: everything that has a key. */
export interface Declaration extends Omit<DeclaredSetting, 'property'> {
  readonly environment: string;
  readonly fallback: unknown;
  readonly target: Target;
}

/** Where the value stands in the Config. */
export type Target = { readonly property: string } | { readonly map: keyof Known; readonly name: string };

/** All of them, settings first, in the order declared. @throws Error when two share a key or an environment name */
export function declarations(known: Known): readonly Declaration[] {
  const defaults = new Config();
  const all = [
    ...settingsOf(Config.prototype).map(({ property, ...setting }) => ({
      ...setting,
      environment: environmentName(setting.key),
      fallback: Reflect.get(defaults, property),
      target: { property },
    })),
    ...known.collectors.map((toggle) => declareToggle('collector', 'collectors', toggle)),
    ...known.sources.map((toggle) => declareToggle('source', 'sources', toggle)),
  ];
  refuseDoubles(all.map(({ environment }) => environment));
  return all;
}

function declareToggle(group: string, map: keyof Known, { name, enabled, help }: Toggle): Declaration {
  const key = `${group}.${name}`;
  return { key, kind: bool, help, reload: false, environment: environmentName(key), fallback: enabled, target: { map, name } };
}

/** Different keys can have one environment name (`a-b` and `a.b`); equal keys always have. */
function refuseDoubles(names: readonly string[]): void {
  const double = names.find((name, i) => names.indexOf(name) !== i);
  if (double !== undefined) throw new Error(`two settings would be called ${double}`);
}

/** What the config holds for a declaration. */
export function valueIn(config: Config, { target }: Declaration): unknown {
  return 'map' in target ? config[target.map].get(target.name) : Reflect.get(config, target.property);
}
