import { ApiError } from '../../model/errors.js';
import { ID_PATTERN } from '../../model/instance.js';

interface Named {
  readonly id: string;
  readonly name: string;
  /** What Kata calls it, where another source named it. */
  readonly sandboxId?: string | undefined;
}

/**
 * Exact id, else exact id of a Kata sandbox, else exact name, else unique prefix of an id.
 * @throws ApiError invalid_id before anything is looked up; not_found with the text of kata-runtime; ambiguous
 */
export function resolve<T extends Named>(key: string, instances: ReadonlyMap<string, T>): T {
  if (!ID_PATTERN.test(key)) throw new ApiError('invalid_id', `an id is 1 to 128 characters of ${ID_PATTERN.source}`);
  const exact = instances.get(key);
  if (exact) return exact;
  const sandbox = only(key, instances, ({ sandboxId }) => sandboxId === key);
  if (sandbox) return sandbox;
  const named = only(key, instances, ({ name }) => name === key);
  if (named) return named;
  const prefixed = only(key, instances, ({ id }) => id.startsWith(key));
  if (prefixed) return prefixed;
  throw new ApiError('not_found', `Container ID (${key}) does not exist`);
}

function only<T>(key: string, instances: ReadonlyMap<string, T>, matches: (instance: T) => boolean): T | undefined {
  let found: T | undefined;
  for (const instance of instances.values()) {
    if (!matches(instance)) continue;
    if (found) throw new ApiError('ambiguous', `more than one instance matches ${key}; use a full id`);
    found = instance;
  }
  return found;
}
