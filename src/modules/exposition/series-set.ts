const FIRST_SLOTS = 4096;
/** A chain this long does not come about by chance: somebody chose the names so. What it leads to is taken for a duplicate. */
const MAX_PROBES = 64;

/** Series by a hash of 64 bits, no object each. 20,000 series in one text: two of them are mixed up once in 10^11 texts. */
export class SeriesSet {
  /** Two halves a slot; both 0 for an empty one. */
  private slots = new Int32Array(2 * FIRST_SLOTS);
  private used = 0;

  clear(): void {
    if (this.slots.length > 2 * FIRST_SLOTS) this.slots = new Int32Array(2 * FIRST_SLOTS);
    else this.slots.fill(0);
    this.used = 0;
  }

  /** @returns false for one that is there */
  add(low: number, high: number): boolean {
    if (2 * this.used >= this.slots.length / 2) this.grow();
    if (!this.put(low | 0, high | 1)) return false;
    this.used++;
    return true;
  }

  private put(low: number, high: number): boolean {
    const { slots } = this;
    const mask = slots.length / 2 - 1;
    for (let slot = low & mask, probes = 0; probes < MAX_PROBES; slot = (slot + 1) & mask, probes++) {
      if (slots[2 * slot + 1] === 0) {
        slots[2 * slot] = low;
        slots[2 * slot + 1] = high;
        return true;
      }
      if (slots[2 * slot] === low && slots[2 * slot + 1] === high) return false;
    }
    return false;
  }

  private grow(): void {
    const old = this.slots;
    this.slots = new Int32Array(old.length * 2);
    for (let slot = 0; slot < old.length; slot += 2) if (old[slot + 1] !== 0) this.putBack(old[slot], old[slot + 1]);
  }

  /** However far from its place: one left out now would be new to a larger set. What stands before it is for `put` a chain, so it is found. */
  private putBack(low: number, high: number): void {
    const { slots } = this;
    const mask = slots.length / 2 - 1;
    let slot = low & mask;
    while (slots[2 * slot + 1] !== 0) slot = (slot + 1) & mask;
    slots[2 * slot] = low;
    slots[2 * slot + 1] = high;
  }
}
