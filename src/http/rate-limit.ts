/** Beyond it the client that has been silent for longest is forgotten: within burst / rate seconds its bucket is full, like a new one's. */
const CLIENTS = 10_000;

export interface Rate {
  /** Requests a second; 0: as many as anybody wants. */
  readonly rateLimit: number;
  /** Requests at once. */
  readonly rateBurst: number;
}

interface Bucket {
  /** Requests that may be made at once, at `at`. */
  tokens: number;
  /** Milliseconds. */
  at: number;
}

/** A token bucket for each client. No timers: a bucket is filled when its client asks. */
export class RateLimit {
  /** The client that asked last is last. */
  private readonly buckets = new Map<string, Bucket>();

  /**
   * @param rate read at each request: a reload may change it
   * @param now milliseconds of a clock that never jumps
   */
  constructor(
    private readonly rate: Rate,
    private readonly now: () => number,
    private readonly clients = CLIENTS,
  ) {}

  /** Takes a token. @returns 0, or the whole seconds until there is one again */
  take(client: string): number {
    const { rateLimit, rateBurst } = this.rate;
    if (rateLimit <= 0) return 0;
    const now = this.now();
    const known = this.buckets.get(client);
    const tokens = known ? Math.min(rateBurst, known.tokens + ((now - known.at) / 1000) * rateLimit) : rateBurst;
    const isGiven = tokens >= 1;
    this.keep(client, { tokens: isGiven ? tokens - 1 : tokens, at: now });
    return isGiven ? 0 : Math.max(1, Math.ceil((1 - tokens) / rateLimit));
  }

  get size(): number {
    return this.buckets.size;
  }

  private keep(client: string, bucket: Bucket): void {
    this.buckets.delete(client);
    this.buckets.set(client, bucket);
    if (this.buckets.size <= this.clients) return;
    for (const oldest of this.buckets.keys()) {
      this.buckets.delete(oldest);
      return;
    }
  }
}
