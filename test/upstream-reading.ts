import { label } from '../src/model/labels.js';
import { ExpositionParser } from '../src/modules/exposition/exposition-parser.js';
import { mergeTexts } from '../src/modules/exposition/merged-texts.js';
import { OpenRules } from '../src/modules/exposition/open-rules.js';
import type { PassedFamily } from '../src/modules/exposition/passed-family.js';
import type { ScrapedText } from '../src/modules/exposition/scraped-text.js';
import { type PageLosses, Upstreams } from '../src/modules/exposition/upstream-families.js';

/** One for all, as in the agent: what one text leaves behind would show in the next. */
const parser = new ExpositionParser();

export interface UpstreamReading {
  readonly name?: string;
  /** Ours that give way. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly maxSeries?: number;
  readonly isWanted?: (name: string) => boolean;
}

/** Reads a text as that of an upstream. */
export function readUpstreamText(text: string | Buffer, reading: UpstreamReading = {}): ScrapedText {
  const { name = 'up', labels = {}, maxSeries = 1000, isWanted } = reading;
  const yielding = new Map(Object.entries(labels).map(([key, value]) => [key, label(key, value)]));
  const rules = new OpenRules({ refused: new Set(), renamed: 'upstream', yielding }, 'As it says.', maxSeries, (family) =>
    isWanted?.(family) === false ? 'excluded' : undefined,
  );
  parser.start(Buffer.from(text), { owner: name, labels: label('upstream', name), rules });
  while (parser.step(7));
  return parser.finish();
}

/** Upstreams that answered what the test says. */
export class ToldUpstreams extends Upstreams {
  losses: PageLosses = { conflicts: new Map(), textOnly: new Map() };
  private merged: readonly PassedFamily[] = [];

  constructor(readonly configured: readonly string[]) {
    super();
  }

  /** @param texts by name of the upstream */
  answer(texts: Readonly<Record<string, string>>): void {
    const read = Object.entries(texts).map(([name, text]) => readUpstreamText(text, { name }));
    this.merged = mergeTexts(read).families;
  }

  families(): readonly PassedFamily[] {
    return this.merged;
  }

  names(): ReadonlySet<string> {
    return new Set(this.merged.map(({ name }) => name));
  }

  lost(losses: PageLosses): void {
    this.losses = losses;
  }
}
