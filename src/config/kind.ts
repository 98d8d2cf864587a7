import { shownUrl } from '../model/upstream-url.js';
import { formatDuration, parseDuration } from './duration.js';

/**
 * How one kind of value is written. Flags, environment and YAML all hand over text, so that one value has one spelling wherever it stands.
 * What the value may be beyond its kind (bounds, patterns) is said by the validators on the property.
 */
export interface Kind<T> {
  /** Placeholder in `--help`: `--x=PLACEHOLDER`; null for a boolean, which is written `--x` and `--no-x`. */
  readonly placeholder: string | null;
  /** Ends the sentence "<value> …" in an error line. */
  readonly must: string;
  /** True when a flag may be repeated and YAML may give a sequence. */
  readonly repeatable: boolean;
  /** @param texts exactly one, unless the kind is repeatable. @returns undefined when they are not of this kind */
  parse(texts: readonly string[]): T | undefined;
  format(value: T): string;
  /** A text of it inside an error line, where it may hold what nobody is to see; missing: as it is. */
  readonly shown?: (given: string) => string;
}

/** A kind written as exactly one text. */
function single<T>(
  placeholder: string | null,
  must: string,
  parse: (text: string) => T | undefined,
  format: (value: T) => string,
): Kind<T> {
  return {
    placeholder,
    must,
    repeatable: false,
    parse: ([given]) => parse(given),
    format,
  };
}

export const text = (placeholder: string): Kind<string> =>
  single(
    placeholder,
    'must be one value',
    (given) => given,
    (value) => value,
  );

export const url: Kind<string> = { ...text('URL'), shown: shownUrl };

export const bool: Kind<boolean> = single(
  null,
  'must be true or false',
  (given) => (given === 'true' ? true : given === 'false' ? false : undefined),
  String,
);

export const count: Kind<number> = single(
  'N',
  'must be a whole number',
  (given) => (/^\d{1,15}$/.test(given) ? Number(given) : undefined),
  String,
);

export const duration: Kind<number> = single('DURATION', 'must be a duration such as 500ms, 2s or 1m30s', parseDuration, formatDuration);

export const choice = <T extends string>(words: readonly T[]): Kind<T> =>
  single(
    words.join('|'),
    `must be one of ${words.join(', ')}`,
    (given) => words.find((word) => word === given),
    (value) => value,
  );

/** Commas separate in every source; empty items are dropped, so that an empty value is the empty list. */
export const list = (placeholder: string): Kind<readonly string[]> => ({
  placeholder: `${placeholder},…`,
  must: 'must be a list',
  repeatable: true,
  parse: (texts) =>
    Object.freeze(
      texts
        .flatMap((given) => given.split(','))
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    ),
  format: (items) => items.join(', '),
});
