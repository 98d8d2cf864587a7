import type { Declaration } from './declarations.js';
import type { Given, GivenSettings } from './given.js';
import { ENVIRONMENT_PREFIX } from './setting.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Variables of our prefix. An empty one counts as not set: compose files and charts write those for "no value".
 * Unknown ones only warn: for a Service called vmgauge Kubernetes sets VMGAUGE_SERVICE_HOST, VMGAUGE_PORT and more in every pod.
 */
export function readEnvironment(
  environment: Environment,
  declared: readonly Declaration[],
): { readonly given: GivenSettings; readonly warnings: readonly string[] } {
  const keys = new Map(declared.map((declaration) => [declaration.environment, declaration.key]));
  const given = new Map<string, Given>();
  const warnings: string[] = [];
  for (const name of Object.keys(environment).sort()) {
    const text = environment[name];
    const key = keys.get(name);
    if (key === undefined) {
      if (name.startsWith(ENVIRONMENT_PREFIX))
        warnings.push(`environment ${name.replace(/\p{Cc}/gu, '?')} is no setting and has no effect`);
    } else if (text !== undefined && text !== '') given.set(key, { texts: [text], origin: `environment ${name}` });
  }
  return { given, warnings };
}
