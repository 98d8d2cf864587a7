import { type Declaration, declarations, type Known, upstreamDeclarations } from './declarations.js';
import { ENVIRONMENT_PREFIX } from './setting.js';

const UPSTREAM = 'upstream';
const NAME = /^[a-z][a-z0-9-]{0,62}$/;
const UPSTREAM_KEY = new RegExp(`^${UPSTREAM}\\.([^.]+)\\.(.+)$`);
const UPSTREAM_VARIABLE = new RegExp(`^${ENVIRONMENT_PREFIX}UPSTREAM_([A-Z][A-Z0-9_]*)$`);

/** Every key that flags, environment and file may say: those of the build, and of any upstream that has a good name. */
export class Vocabulary {
  private readonly byKey: ReadonlyMap<string, Declaration>;
  private readonly byVariable: ReadonlyMap<string, Declaration>;
  /** `web`, `collector`, `collector.wait` …: every proper beginning of a key. */
  private readonly groups: ReadonlySet<string>;

  constructor(known: Known) {
    const declared = declarations(known);
    this.byKey = new Map(declared.map((declaration) => [declaration.key, declaration]));
    this.byVariable = new Map(declared.map((declaration) => [declaration.environment, declaration]));
    const beginnings = (key: string) => [...key.matchAll(/\./g)].map(({ index }) => key.slice(0, index));
    this.groups = new Set([...this.byKey.keys()].flatMap(beginnings));
  }

  declaration(key: string): Declaration | undefined {
    const [, name] = UPSTREAM_KEY.exec(key) ?? [];
    if (name === undefined) return this.byKey.get(key);
    return NAME.test(name) ? upstreamDeclarations(name).find((declaration) => declaration.key === key) : undefined;
  }

  /** @param name of an environment variable. `_` is every `.` and `-`, so a name of an upstream ends where a member of its own begins */
  ofVariable(name: string): Declaration | undefined {
    const [, words] = UPSTREAM_VARIABLE.exec(name) ?? [];
    if (words === undefined) return this.byVariable.get(name);
    for (let end = words.indexOf('_'); end >= 0; end = words.indexOf('_', end + 1)) {
      const upstream = words.slice(0, end).toLowerCase().replaceAll('_', '-');
      const found = NAME.test(upstream) ? upstreamDeclarations(upstream).find(({ environment }) => environment === name) : undefined;
      if (found) return found;
    }
    return undefined;
  }

  isGroup(key: string): boolean {
    return this.groups.has(key) || key === UPSTREAM || (key.startsWith(`${UPSTREAM}.`) && NAME.test(key.slice(UPSTREAM.length + 1)));
  }

  /** Why there is no such key, where that can be said; empty where not. */
  whyUnknown(key: string): string {
    const [, name] = /^upstream\.([^.]*)/.exec(key) ?? [];
    if (name === undefined || NAME.test(name)) return '';
    return 'a name of an upstream is up to 63 lower case letters, digits and dashes, a letter first';
  }
}

/** Names of the upstreams that these keys are about, ascending. */
export function upstreamsIn(keys: Iterable<string>): readonly string[] {
  const names = [...keys].map((key) => UPSTREAM_KEY.exec(key)?.[1]).filter((name) => name !== undefined);
  return [...new Set(names)].sort();
}
