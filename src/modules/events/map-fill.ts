/** How full the maps of one life are, as of the last whole telling. */
export class MapFill {
  private counting = new Map<string, { used: number; live: number }>();
  private told: ReadonlyMap<string, { readonly used: number; readonly live: number }> = new Map();

  /** @param isLive the key is that of something that is traced now; the kernel side keeps the others until its end */
  add(map: string, slots: number, isLive: boolean): void {
    const count = this.counting.get(map) ?? { used: 0, live: 0 };
    this.counting.set(map, count);
    count.used += slots;
    if (isLive) count.live += slots;
  }

  /** The telling is over. */
  turn(): void {
    this.told = this.counting;
    this.counting = new Map();
  }

  beginAnew(): void {
    this.turn();
    this.turn();
  }

  /** Places taken, by map, in the order of their names. */
  used(): [string, number][] {
    return [...this.told].map(([map, { used }]): [string, number] => [map, used]).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Of the fullest map. */
  get most(): number {
    return Math.max(0, ...[...this.told.values()].map(({ used }) => used));
  }

  /** Places that what is traced now needs in the map where it needs most. */
  get mostLive(): number {
    return Math.max(0, ...[...this.told.values()].map(({ live }) => live));
  }
}
