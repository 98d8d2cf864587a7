import type { TracingBlock } from '../../model/settings.js';

/** Finds out which blocks can be attached where no complaint says it: one try a block, each with those before that could. */
export class BlockTrial {
  readonly good: TracingBlock[] = [];

  constructor(private readonly left: TracingBlock[]) {}

  /** What the next try, or the one under way, is made with. */
  get blocks(): readonly TracingBlock[] {
    return [...this.good, ...this.left.slice(0, 1)];
  }

  get isOver(): boolean {
    return this.left.length === 0;
  }

  attached(): void {
    this.good.push(...this.left.splice(0, 1));
  }

  /** @returns the block that is to blame */
  failed(): TracingBlock | null {
    return this.left.shift() ?? null;
  }
}
