/**
 * Counters of one port that never go back, though the port may be taken away and made anew under its name: what its earlier lives came to, and
 * what it says now. A new life is told by another identity, or by bytes or packets that went back; where only another counter falls, a driver corrected
 * itself, and its sum stands still. A poll may see the counters of a new life before the
 * database tells of it: then its identity is taken over without adding anything twice.
 */
export class PortLedger {
  private readonly base: number[];
  private readonly last: number[];
  private identity: string | null = null;
  /** Counters went back while the identity was still the old one. */
  private isAhead = false;

  /** @param growing so many slots, the first ones, count what no driver takes back */
  constructor(
    slots: number,
    private readonly growing: number,
  ) {
    this.base = new Array<number>(slots).fill(0);
    this.last = new Array<number>(slots).fill(0);
  }

  /** @param now NaN where the switch does not count @returns as many numbers, NaN in the same places */
  take(identity: string, now: readonly number[]): readonly number[] {
    const isOther = this.identity !== null && identity !== this.identity;
    const isBack = now.some((value, slot) => slot < this.growing && value < this.last[slot]);
    if (isBack || (isOther && !this.isAhead)) this.turn();
    this.isAhead = isBack ? !isOther : this.isAhead && !isOther;
    this.identity = identity;
    return now.map((value, slot) => {
      if (value < this.last[slot]) this.base[slot] += this.last[slot] - value;
      if (!Number.isNaN(value)) this.last[slot] = value;
      return this.base[slot] + value;
    });
  }

  private turn(): void {
    for (const [slot, value] of this.last.entries()) {
      this.base[slot] += value;
      this.last[slot] = 0;
    }
  }
}

/** Those of the ports that one instance has and had, by name: so many, then the one that was used longest ago is forgotten. */
export class PortLedgers {
  private readonly ledgers = new Map<string, PortLedger>();

  constructor(
    private readonly slots: number,
    private readonly growing: number,
    private readonly limit: number,
  ) {}

  of(name: string): PortLedger {
    const ledger = this.ledgers.get(name) ?? new PortLedger(this.slots, this.growing);
    this.ledgers.delete(name);
    this.ledgers.set(name, ledger);
    const [oldest] = this.ledgers.keys();
    if (this.ledgers.size > this.limit) this.ledgers.delete(oldest);
    return ledger;
  }
}
