/** A counter of one instance made of those of the cgroups that it was in: it starts with what the first one has and never goes back. */
export class Growth {
  private total = Number.NaN;
  private last = Number.NaN;
  private source: object | undefined;

  /**
   * @param value what the source says now; NaN for a number that is not told
   * @param source another one than before counts from its first number on
   * @returns the total, NaN while there is no number
   */
  add(value: number, source: object): number {
    if (Number.isNaN(value)) return Number.NaN;
    if (Number.isNaN(this.total)) this.total = value;
    else if (source === this.source) this.total += Math.max(0, value - this.last);
    this.last = value;
    this.source = source;
    return this.total;
  }
}
