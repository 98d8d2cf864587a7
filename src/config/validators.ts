import { IsIn, Matches, Max, Min, ValidateBy } from 'class-validator';
import { ASKABLE_SHIMS } from '../model/instance.js';
import { formatDuration } from './duration.js';
import { parseListenAddress } from './listen-address.js';

/** Messages end the sentence "<value> …" in an error line. */
function range(low: number, high: number, shown: (value: number) => string): PropertyDecorator {
  const options = { message: `must be between ${shown(low)} and ${shown(high)}` };
  return (prototype, property) => {
    for (const bound of [Min(low, options), Max(high, options)]) bound(prototype, property);
  };
}

export const Between = (low: number, high: number): PropertyDecorator => range(low, high, String);
export const BetweenDurations = (lowMs: number, highMs: number): PropertyDecorator => range(lowMs, highMs, formatDuration);

/** Control characters would break log lines, and a NUL the system call. */
export const IsPath = (): PropertyDecorator => Matches(/^\P{Cc}+$/u, { message: 'must be a path' });
export const IsPathOrEmpty = (): PropertyDecorator => Matches(/^\P{Cc}*$/u, { message: 'must be a path, or empty for none' });

export const AreAbsoluteGlobs = (): PropertyDecorator =>
  Matches(/^\/\P{Cc}+$/u, { each: true, message: 'must be absolute paths, where * stands for any characters but /' });

export const AreAbsolutePaths = (): PropertyDecorator => Matches(/^\/\P{Cc}+$/u, { each: true, message: 'must be absolute paths' });

/** The pairs that may be asked at all, so that no configuration can name one whose shim dies of the question. */
export const AreShimRuntimes = (): PropertyDecorator =>
  IsIn(ASKABLE_SHIMS, { each: true, message: `may hold ${ASKABLE_SHIMS.join(', ')} only: any other shim could die of being asked` });

export const AreSocketGlobs = (): PropertyDecorator =>
  Matches(/^\P{Cc}+$/u, { each: true, message: 'must be paths or names of sockets, where * stands for any characters but /' });

export const AreMetricPrefixes = (): PropertyDecorator =>
  Matches(/^[a-zA-Z_:][\w:]*$/, { each: true, message: 'must be beginnings of metric names' });

/** Nothing that a router or a proxy would read differently: no `:`, `*`, `%`, no empty or dotted parts, no slash at the end. */
export const IsRoutePath = (): PropertyDecorator =>
  Matches(/^(\/(?!\.{1,2}(\/|$))[A-Za-z0-9_.~-]+)+$/, { message: 'must be a path such as /metrics, of letters, digits and -._~' });

export const IsListenAddress = (): PropertyDecorator =>
  ValidateBy({
    name: 'isListenAddress',
    validator: {
      validate: (value: unknown) => typeof value === 'string' && parseListenAddress(value) !== undefined,
      defaultMessage: () => 'must be host:port, [IPv6 address]:port, :port or unix:/path',
    },
  });
