import { Config } from './config.js';
import { bool } from './kind.js';
import { type DeclaredSetting, environmentName, settingsOf } from './setting.js';
import { UpstreamConfig } from './upstream-config.js';

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
export type Target =
  | { readonly property: string }
  | { readonly map: keyof Known; readonly name: string }
  | { readonly upstream: string; readonly member: string };

/** The name of an upstream in documents, where its settings stand once for all. */
const ANY_UPSTREAM = '<name>';

/**
 * All of them, settings first, in the order declared; last those of upstreams.
 * @param upstreams names; none for what this build itself declares
 * @throws Error when two share a key or an environment name
 */
export function declarations(known: Known, upstreams: readonly string[] = []): readonly Declaration[] {
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
    ...upstreams.flatMap((name) => upstreamDeclarations(name)),
  ];
  refuseDoubles(all.map(({ environment }) => environment));
  return all;
}

/** What documents show: settings of any upstream as `upstream.<name>.url`. */
export const documented = (known: Known): readonly Declaration[] => declarations(known, [ANY_UPSTREAM]);

const UPSTREAM_DEFAULTS = new UpstreamConfig();

export function upstreamDeclarations(name: string): readonly Declaration[] {
  return settingsOf(UpstreamConfig.prototype).map(({ property, key: member, ...setting }) => {
    const key = `upstream.${name}.${member}`;
    const fallback: unknown = Reflect.get(UPSTREAM_DEFAULTS, property);
    return { ...setting, key, environment: environmentName(key), fallback, target: { upstream: name, member: property } };
  });
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
export function valueIn(config: Config, { target, fallback }: Declaration): unknown {
  if ('map' in target) return config[target.map].get(target.name);
  if ('property' in target) return Reflect.get(config, target.property);
  const upstream = config.upstreams.get(target.upstream);
  return upstream ? Reflect.get(upstream, target.member) : fallback;
}
