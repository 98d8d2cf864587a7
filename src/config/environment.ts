import type { Given, GivenSettings } from './given.js';
import { ENVIRONMENT_PREFIX } from './setting.js';
import type { Vocabulary } from './vocabulary.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Variables of our prefix. An empty one counts as not set: compose files and charts write those for "no value".
 * Unknown ones only warn: for a Service called vmgauge Kubernetes sets VMGAUGE_SERVICE_HOST, VMGAUGE_PORT and more in every pod.
 */
export function readEnvironment(
  environment: Environment,
  vocabulary: Vocabulary,
): { readonly given: GivenSettings; readonly warnings: readonly string[] } {
  const given = new Map<string, Given>();
  const warnings: string[] = [];
  for (const name of Object.keys(environment).sort()) {
    const text = environment[name];
    const key = vocabulary.ofVariable(name)?.key;
    if (key === undefined) {
      if (name.startsWith(ENVIRONMENT_PREFIX))
        warnings.push(`environment ${name.replace(/\p{Cc}/gu, '?')} is no setting and has no effect`);
    } else if (text !== undefined && text !== '') given.set(key, { texts: [text], origin: `environment ${name}` });
  }
  return { given, warnings };
}
