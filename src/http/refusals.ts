/** Why a request was turned away before anything was done for it. `busy`: too many scrapes were under way. */
export const REFUSAL_REASONS = ['busy', 'rate_limited', 'unauthorized'] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** How many there were since the start. */
export class Refusals {
  private readonly counts: Record<RefusalReason, number> = { busy: 0, rate_limited: 0, unauthorized: 0 };

  add(reason: RefusalReason): void {
    this.counts[reason]++;
  }

  of(reason: RefusalReason): number {
    return this.counts[reason];
  }
}
