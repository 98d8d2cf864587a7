import { validateSync } from 'class-validator';
import { MalformedError } from './problems.js';

const VALUE_CHARACTERS = 60;

/**
 * Fills an empty object of a decorated class from a parsed document and validates it; unknown keys are refused.
 * @returns `fields`
 * @throws MalformedError naming the key, and in `message` only also the value
 */
export function checkFields<T extends object>(fields: T, value: unknown): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MalformedError('must be an object', `must be an object, got ${shown(value)}`);
  }
  for (const [key, member] of Object.entries(value)) {
    // class-validator finds its rules through `constructor`; an own member of that name would hide them.
    if (key === 'constructor' || key === '__proto__') throw unknownKey(key, member);
    Object.defineProperty(fields, key, { value: member, enumerable: true, writable: true, configurable: true });
  }
  const [error] = validateSync(fields, { whitelist: true, forbidNonWhitelisted: true, stopAtFirstError: true });
  if (!error) return fields;
  const { property, constraints = {} } = error;
  const given: unknown = Reflect.get(value, property);
  if ('whitelistValidation' in constraints) throw unknownKey(property, given);
  const problem = Object.values(constraints)[0] ?? `${property} is not valid`;
  throw new MalformedError(problem, `${problem}, ${given === undefined ? 'but it is missing' : `got ${shown(given)}`}`);
}

/** The key is the file's content too. */
const unknownKey = (key: string, value: unknown): MalformedError =>
  new MalformedError('unknown key', `unknown key ${shown(key)} with the value ${shown(value)}`);

/** A value on one line and cut. */
function shown(value: unknown): string {
  if (typeof value === 'number') return String(value);
  try {
    const text = JSON.stringify(value) ?? String(value);
    return text.length > VALUE_CHARACTERS ? `${text.slice(0, VALUE_CHARACTERS)}…` : text;
  } catch {
    // A YAML alias may lead back to where it stands.
    return `a ${typeof value} that contains itself`;
  }
}
