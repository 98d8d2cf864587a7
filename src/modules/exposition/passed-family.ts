import type { WireType } from './wire-types.js';

/** A family as strangers sent it, checked and ready to be written. */
export interface PassedFamily {
  readonly name: string;
  readonly type: WireType;
  readonly help: string;
  /** One a text, by owner ascending. */
  readonly bodies: readonly PassedBody[];
}

export interface PassedBody {
  /** Whose text it was: an instance, or an upstream by its name. */
  readonly owner: string;
  /** Whole lines of exposition text 0.0.4 with the owner's labels. */
  readonly lines: Buffer;
  readonly series: number;
  /** Missing for all. */
  readonly open?: OpenShare;
}

/** What of a body OpenMetrics takes: so many series, and so many bytes at the beginning of its lines. */
export interface OpenShare {
  readonly series: number;
  readonly bytes: number;
}
