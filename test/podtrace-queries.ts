import { readFileSync } from 'node:fs';

/** A query of Podtrace's document of metrics, letter for letter. */
export interface PodtraceQuery {
  /** `thresholds`: finds nothing where all is well. */
  readonly about: 'rtt' | 'dns' | 'files' | 'cpu' | 'network' | 'limits' | 'thresholds';
  readonly query: string;
}

export const PODTRACE_QUERIES = JSON.parse(
  readFileSync(new URL('../fixtures/podtrace/queries.json', import.meta.url), 'utf8'),
) as readonly PodtraceQuery[];
