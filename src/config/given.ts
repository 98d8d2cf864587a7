import { ConfigError, quoted } from './config-error.js';
import type { Declaration } from './declarations.js';

/** A value as somebody wrote it. */
export interface Given {
  /** One text; more where the kind is repeatable. */
  readonly texts: readonly string[];
  /** `flag --web.max-requests`, `environment VMGAUGE_WEB_MAX_REQUESTS`, `file /etc/vmgauge.yaml line 3`. */
  readonly origin: string;
}

/** By key. */
export type GivenSettings = ReadonlyMap<string, Given>;

/** The one line for a value that cannot be: `web.max-requests: "0" must be between 1 and 10000 (flag --web.max-requests)`. */
export function badValue(about: About, { texts, origin }: Given, must: string): ConfigError {
  return new ConfigError(`${about.key}: ${quoted(shownTexts(about, texts))} ${must} (${origin})`);
}

/** What was written, without what nobody is to see. */
export const shownTexts = ({ kind }: About, texts: readonly string[]): string =>
  texts.map((text) => (kind?.shown ? kind.shown(text) : text)).join(',');

type About = Pick<Declaration, 'key'> & { readonly kind?: Pick<Declaration['kind'], 'shown'> };
