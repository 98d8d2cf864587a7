import type { KvmStatistics } from '../answer.js';
import { type Fields, fieldsIn } from '../json-fields.js';

/** Names become labels: those of kernels are plain. */
const NAME = /^[a-z][a-z0-9_]{0,63}$/;
const MAX_NAMES = 256;
const SENTINEL = 2 ** 63;
const NANOSECONDS_EXPONENT = 9;
/** Gibi and giga: beyond them nothing that is counted has a unit. */
const MAX_EXPONENTS: Readonly<Record<number, number>> = { 2: 30, 10: 9 };

export type Target = 'vm' | 'vcpu';
type Kind = 'counters' | 'durations' | 'gauges';

/** How a statistic is to be read: what the schema said of it. */
interface Scale {
  readonly kind: Kind;
  readonly factor: number;
}
export type Schema = Readonly<Record<Target, ReadonlyMap<string, Scale>>>;

/**
 * Of query-stats-schemas: the kernel's own description of what it counts. Booleans, peaks and histograms are left out: no single number of a
 * VM comes of them. An empty schema where there is no KVM.
 */
export function parseSchemas(value: unknown): Schema | undefined {
  if (!Array.isArray(value)) return undefined;
  const schema = { vm: new Map<string, Scale>(), vcpu: new Map<string, Scale>() };
  for (const { provider, target, stats } of fieldsIn(value)) {
    if (provider !== 'kvm' || (target !== 'vm' && target !== 'vcpu')) continue;
    for (const stat of fieldsIn(stats)) {
      const scale = scaleOf(stat);
      if (scale && typeof stat.name === 'string' && NAME.test(stat.name) && schema[target].size < MAX_NAMES)
        schema[target].set(stat.name, scale);
    }
  }
  return schema;
}

/** An object of a stranger's cannot be asked for its number: its `toString` may be anything. */
const numberIn = (value: unknown): number => (typeof value === 'number' ? value : Number.NaN);

/** value × base^exponent units; base is missing where the exponent is 0 (qapi/stats.json). */
function scaleOf({ type, unit, base, exponent }: Fields): Scale | undefined {
  if ((type !== 'cumulative' && type !== 'instant') || unit === 'boolean') return undefined;
  const power = exponent === undefined ? 0 : numberIn(exponent);
  const scaled = power === 0 ? 10 : numberIn(base);
  if (!Number.isInteger(power) || !(Math.abs(power) <= MAX_EXPONENTS[scaled])) return undefined;
  const isTime = unit === 'seconds';
  // In one exponent where it can be: 10^-9 × 10^9 is not 1 in floating point.
  if (isTime && scaled === 10) return { kind: 'durations', factor: 10 ** (power + NANOSECONDS_EXPONENT) };
  const factor = scaled ** power;
  if (isTime) return { kind: 'durations', factor: factor * 10 ** NANOSECONDS_EXPONENT };
  return { kind: type === 'cumulative' ? 'counters' : 'gauges', factor };
}

/** Names to ask for: everything but what would be thrown away, which is most of the bytes. */
export const namesOf = (schema: Schema, target: Target): readonly string[] => [...schema[target].keys()];

/** Sums replies to query-stats: `vcpu` has an entry for each vCPU. */
export class KvmSums {
  private readonly sums = { counters: new Map<string, number>(), durations: new Map<string, number>(), gauges: new Map<string, number>() };

  constructor(private readonly schema: Schema) {}

  /** @returns false for what has not the shape of a reply */
  add(target: Target, value: unknown): boolean {
    if (!Array.isArray(value)) return false;
    const own = new Map<string, number>();
    for (const { provider, stats } of fieldsIn(value)) {
      if (provider !== 'kvm') continue;
      for (const { name, value: count } of fieldsIn(stats)) {
        const scale = typeof name === 'string' ? this.schema[target].get(name) : undefined;
        if (typeof name !== 'string' || !scale || typeof count !== 'number' || !(count >= 0 && count < SENTINEL)) continue;
        const before = own.get(name);
        own.set(name, (before === undefined ? 0 : before) + count * scale.factor);
      }
    }
    this.take(target, own);
    return true;
  }

  get statistics(): KvmStatistics {
    return this.sums;
  }

  /** A name that both targets have would be two quantities: the first keeps it. */
  private take(target: Target, own: ReadonlyMap<string, number>): void {
    for (const [name, sum] of own) {
      const kind = this.schema[target].get(name)?.kind;
      if (kind && sum < SENTINEL && !Object.values(this.sums).some((place) => place.has(name))) this.sums[kind].set(name, sum);
    }
  }
}
