import { type Exposure, type Family, type Metric, metric } from '../../model/metric.js';
import { BOUNDS_NANOSECONDS } from './words.js';

const NANOSECOND_DECIMALS = 9;
/** 0.0001 … 52.4288 */
const BOUNDS = [...BOUNDS_NANOSECONDS.map((bound) => String(bound / 1e9)), '+Inf'];

type Labels = Readonly<Record<string, string>>;
/** A family and the labels that tell this metric's lines in it. */
interface In {
  readonly family: Family;
  readonly labels?: Labels;
}

/** Columns of one latency, in the order of their lines. Buckets and counts are whole numbers, the times nanoseconds. */
export interface TimingMetrics {
  /** Those within each bound, added up; the last is all of them. */
  readonly buckets: readonly Metric[];
  readonly sum: Metric;
  readonly count: Metric;
  readonly last: Metric;
}

interface TimingSpec {
  /** `tcp_rtt`; its members are tcp_rtt_count, tcp_rtt_sum_seconds and tcp_rtt_last_seconds. */
  readonly json: string;
  readonly what: string;
  readonly histograms: readonly In[];
  readonly gauges?: readonly In[];
}

export function timing({ json, what, histograms, gauges = [] }: TimingSpec): TimingMetrics {
  const lines = (suffix: NonNullable<Exposure['suffix']>, le?: string): Exposure[] =>
    histograms.map(({ family, labels }) => ({ family, suffix, labels: { ...labels, ...(le === undefined ? {} : { le }) } }));
  return {
    buckets: BOUNDS.map((le) => metric({ json: '', description: `${what}, within ${le} s.`, also: lines('_bucket', le) })),
    sum: metric({
      json: `${json}_sum_seconds`,
      description: `${what}: all together.`,
      decimals: NANOSECOND_DECIMALS,
      also: lines('_sum'),
    }),
    count: metric({ json: `${json}_count`, description: `${what}: how many.`, also: lines('_count') }),
    last: metric({ json: `${json}_last_seconds`, description: `${what}: the latest.`, decimals: NANOSECOND_DECIMALS, also: gauges }),
  };
}

export const metricsOf = ({ buckets, sum, count, last }: TimingMetrics): readonly Metric[] => [...buckets, sum, count, last];
