import { MalformedError } from './problems.js';
import { PRINTABLE } from './spellings.js';

/** PATH_MAX of Linux. */
const TEXT_LIMIT = 4096;

type Members = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Members => typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Picks members one by one out of a document that somebody else wrote. Null, zero and the empty string are Go's way of saying nothing; a
 * member of the wrong kind is left out and named.
 */
export class Picked {
  private constructor(
    private readonly members: Members,
    private readonly prefix: string,
    /** Names of members that make no sense, never their content. */
    readonly ignored: string[],
  ) {}

  /** @throws MalformedError for a text that is no JSON object */
  static parse(text: string): Picked {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      // The message of JSON.parse quotes the text, which may hold secrets.
      throw new MalformedError(text.trim() === '' ? 'the file is empty' : 'not JSON, or only a part of it');
    }
    if (!isObject(value)) throw new MalformedError('not a JSON object');
    return new Picked(value, '', []);
  }

  /** Without members where there is none. */
  object(key: string): Picked {
    const value = this.member(key);
    if (value !== undefined && !isObject(value)) this.ignore(key);
    return new Picked(isObject(value) ? value : {}, `${this.prefix}${key}.`, this.ignored);
  }

  /** The objects of a list, `limit` at most. */
  objects(key: string, limit: number): readonly Picked[] {
    const value = this.member(key);
    if (value !== undefined && !Array.isArray(value)) this.ignore(key);
    const items: unknown[] = Array.isArray(value) ? value.slice(0, limit) : [];
    return items.flatMap((item, i) => (isObject(item) ? [new Picked(item, `${this.prefix}${key}.${i}.`, this.ignored)] : []));
  }

  /** Text in one line. */
  text(key: string, pattern: RegExp = PRINTABLE, limit = TEXT_LIMIT): string | undefined {
    const value = this.member(key);
    if (value === undefined || value === '') return undefined;
    if (typeof value === 'string' && value.length <= limit && PRINTABLE.test(value) && pattern.test(value)) return value;
    return this.ignore(key);
  }

  /** A whole number from 1 to the limit. */
  count(key: string, limit: number): number | undefined {
    const value = this.member(key);
    if (value === undefined || value === 0) return undefined;
    return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value <= limit ? value : this.ignore(key);
  }

  flag(key: string): boolean | undefined {
    const value = this.member(key);
    if (value === undefined) return undefined;
    return typeof value === 'boolean' ? value : this.ignore(key);
  }

  private member(key: string): unknown {
    return Object.hasOwn(this.members, key) ? (this.members[key] ?? undefined) : undefined;
  }

  private ignore(key: string): undefined {
    const name = this.prefix + key;
    if (!this.ignored.includes(name)) this.ignored.push(name);
    return undefined;
  }
}
