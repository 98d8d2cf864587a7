import { type Measure, Timing } from './measure.js';
import type { Amount, Latency } from './words.js';

/**
 * What one process or one device counted by one source, added to a sum that others may share and that outlives it. A source that begins anew
 * begins at 0; the sum never goes back, and nothing is added to it twice.
 */
export class MeasureLedger {
  private timings = new Map<Latency, Timing>();
  private amounts = new Map<Amount, number>();
  /** What was added to the sum since somebody asked. */
  private readonly grown = new Set<Amount>();

  constructor(private readonly sum: Measure) {}

  /** The source forgot all it counted. */
  beginAnew(): void {
    this.timings = new Map();
    this.amounts = new Map();
  }

  /** @param now how many were within each bound since the source began @returns whether the sum changed */
  buckets(latency: Latency, now: Readonly<Float64Array>): boolean {
    const told = timingOf(this.timings, latency);
    const before = told.count;
    for (let bound = 0; bound < now.length; bound++) {
      const growth = now[bound] - told.buckets[bound];
      if (!(growth > 0)) continue;
      const sum = timingOf(this.sum.timings, latency);
      told.buckets[bound] += growth;
      told.count += growth;
      sum.buckets[bound] += growth;
      sum.count += growth;
    }
    return told.count > before;
  }

  sumNanoseconds(latency: Latency, now: number): boolean {
    const told = timingOf(this.timings, latency);
    const growth = now - told.sumNanoseconds;
    if (!(growth > 0)) return false;
    told.sumNanoseconds = now;
    timingOf(this.sum.timings, latency).sumNanoseconds += growth;
    return true;
  }

  /** A source says the last one again and again: of several that share a sum the one counts that has something new to say. */
  lastNanoseconds(latency: Latency, now: number): boolean {
    const told = timingOf(this.timings, latency);
    if (told.lastNanoseconds === now || Number.isNaN(now)) return false;
    told.lastNanoseconds = now;
    timingOf(this.sum.timings, latency).lastNanoseconds = now;
    return true;
  }

  /** @param counts false: what has grown since the last look is known by another source */
  amount(amount: Amount, now: number, counts = true): boolean {
    const growth = now - (this.amounts.get(amount) ?? 0);
    if (!(growth >= 0)) return false;
    this.amounts.set(amount, now);
    if (!counts) return false;
    if (growth > 0) this.grown.add(amount);
    const { amounts } = this.sum;
    const isFirst = !amounts.has(amount);
    amounts.set(amount, (amounts.get(amount) ?? 0) + growth);
    return growth > 0 || isFirst;
  }

  /** Whether any of it was added to the sum since this was asked last. */
  hasGrown(amount: Amount): boolean {
    return this.grown.delete(amount);
  }
}

function timingOf(timings: Map<Latency, Timing>, latency: Latency): Timing {
  const known = timings.get(latency);
  if (known) return known;
  const timing = new Timing();
  timings.set(latency, timing);
  return timing;
}
