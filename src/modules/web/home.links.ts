/** A route worth a link on the page for people. */
export interface HomeLink {
  /** Relative, so that it also works below a path of a reverse proxy. */
  readonly href: string;
  readonly what: string;
}

/** Every route that needs no id and no query. @param telemetryPath where the Prometheus page stands, with its slash */
export const homeLinks = (telemetryPath: string): readonly HomeLink[] => [
  { href: telemetryPath.slice(1), what: 'everything for Prometheus, text or OpenMetrics' },
  { href: 'instances', what: 'the instances of this host, JSON' },
  { href: 'stats', what: 'statistics of all of them from one sweep, JSON' },
  { href: 'capabilities', what: 'what this host can give, what is missing and what to do about it, JSON' },
  { href: 'sandboxes', what: 'the Kata sandboxes that run, one id a line' },
  { href: 'livez', what: 'the process is alive' },
  { href: 'readyz', what: 'the agent can answer' },
  { href: 'health', what: 'the same as livez, for clients of hypeman' },
  { href: 'openapi.yaml', what: 'the description of this API' },
  { href: 'openapi.json', what: 'the same as JSON' },
  { href: 'docs', what: 'a page to read and try it' },
];
