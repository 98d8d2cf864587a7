import { IsIn, Matches, Max, Min, ValidateBy } from 'class-validator';
import { ASKABLE_SHIMS } from '../model/instance.js';
import { TRACING_BLOCKS } from '../model/settings.js';
import { parseUpstreamUrl } from '../model/upstream-url.js';
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

export const AreTracingBlocks = (): PropertyDecorator =>
  IsIn(TRACING_BLOCKS, { each: true, message: `must be some of ${TRACING_BLOCKS.join(', ')}` });

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

/** Empty is for the check that says which upstream has none. */
export const IsUpstreamUrl = (): PropertyDecorator =>
  ValidateBy({
    name: 'isUpstreamUrl',
    validator: {
      validate: (value: unknown) => value === '' || (typeof value === 'string' && parseUpstreamUrl(value) !== undefined),
      defaultMessage: () =>
        'must be http://host:port/path, https://host:port/path or unix:/socket:/path, without credentials and without a fragment',
    },
  });

/** As openssl prints it, or without colons. */
export const IsFingerprint = (): PropertyDecorator =>
  Matches(/^(|[0-9a-f]{64}|([0-9a-f]{2}:){31}[0-9a-f]{2})$/i, {
    message: 'must be the SHA-256 of a certificate, 64 hexadecimal digits with or without colons',
  });

export const IsHostName = (): PropertyDecorator =>
  Matches(/^(|[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?|[0-9a-f.:]{2,45})$/i, { message: 'must be a host name or an address' });

const MAX_LABELS = 16;
const LABELS_BYTES = 1024;
/** Ours, and those that give a sample its place in its family. */
const TAKEN_LABELS: ReadonlySet<string> = new Set(['upstream', 'exported_upstream', 'le', 'quantile']);

/** `name=value`; each of them is copied to every sample that has none of its name. */
export const AreLabels = (): PropertyDecorator =>
  ValidateBy({
    name: 'areLabels',
    validator: {
      validate: (value: unknown) => Array.isArray(value) && areLabels(value.map(String)),
      defaultMessage: () =>
        `must be up to ${MAX_LABELS} labels name=value, ${LABELS_BYTES} bytes in all, each name once; not ${[...TAKEN_LABELS].join(', ')} and not __…`,
    },
  });

function areLabels(pairs: readonly string[]): boolean {
  const names = pairs.map((pair) => /^([a-zA-Z_]\w*)=\P{Cc}+$/u.exec(pair)?.[1]);
  const good = names.filter((name) => name !== undefined && !name.startsWith('__') && !TAKEN_LABELS.has(name));
  return new Set(good).size === pairs.length && pairs.length <= MAX_LABELS && Buffer.byteLength(pairs.join('')) <= LABELS_BYTES;
}
