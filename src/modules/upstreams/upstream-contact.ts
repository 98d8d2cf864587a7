import { Contact } from '../../model/contact.js';
import { label } from '../../model/labels.js';
import { Outcome } from '../../model/outcome.js';
import type { UpstreamSettings } from '../../model/upstream.js';
import { isLoopbackHost, parseUpstreamUrl, type UpstreamTarget } from '../../model/upstream-url.js';
import type { DropReason } from '../exposition/drop-reasons.js';
import { OpenRules } from '../exposition/open-rules.js';
import type { ScrapedText } from '../exposition/scraped-text.js';
import type { Refusal } from './refusal.js';

/** A text is kept for so many intervals after its upstream stopped answering; how old it is can be seen. */
const KEPT_INTERVALS = 3;
const UPSTREAM = 'upstream';
/** One level of a chain is kept; a sample that has been through two is dropped, so that a ring of agents does not grow. */
const REFUSED: ReadonlySet<string> = new Set([`exported_${UPSTREAM}`]);

/** What is known of one upstream. */
export class UpstreamContact extends Contact {
  readonly name: string;
  readonly target: UpstreamTarget;
  readonly rules: OpenRules;
  /** It answers on this host, where no guest does: what it says comes before what others say. */
  readonly isHere: boolean;
  /** The label that every sample gets, rendered. */
  readonly labels: string;
  text: ScrapedText | null = null;
  /** Why the last question was not answered well; null where it was, and before the first. */
  refusal: Refusal | null = null;
  /** Of the last answer that was good. */
  answerBytes = Number.NaN;

  /**
   * @throws Error for a URL that the configuration would not have taken
   */
  constructor(
    readonly settings: UpstreamSettings,
    phase: number,
  ) {
    super(phase);
    const { name, url, labels, maxSeries, allow, deny } = settings;
    const target = parseUpstreamUrl(url);
    if (!target) throw new Error(`upstream ${name}: its URL is none`);
    this.name = name;
    this.target = target;
    this.isHere = target.kind === 'unix' || isLoopbackHost(target.host);
    this.labels = label(UPSTREAM, name);
    const yielding = new Map([...labels].map(([key, value]) => [key, label(key, value)]));
    this.rules = new OpenRules({ refused: REFUSED, renamed: UPSTREAM, yielding }, 'As an upstream says it.', maxSeries, (name) =>
      refusalOf(name, allow, deny),
    );
  }

  /** Whether it is asked to say what this agent would say under the same name: a guest could choose any name. */
  get replacesOurs(): boolean {
    return this.isHere || this.settings.allow.length > 0;
  }

  refused(refusal: Refusal): void {
    this.outcome = refusal.outcome;
    this.refusal = refusal;
    this.failures++;
  }

  answered(text: ScrapedText, answerBytes: number, at: number, ms: number): void {
    this.outcome = Outcome.ok;
    this.refusal = null;
    this.text = text;
    this.answerBytes = answerBytes;
    this.answeredAt = at;
    this.answeredMs = ms;
  }

  /** @returns whether a text was dropped */
  expire(now: number): boolean {
    if (!this.text || now - this.answeredAt <= KEPT_INTERVALS * this.settings.intervalMs) return false;
    this.text = null;
    return true;
  }
}

/**
 * Names under which this agent says whose VM is how, and those under which Prometheus says whose target is up. Whoever reads them may bill by
 * `instance_id` or wake somebody, so that nobody else gets to use them by chance: an upstream that is a guest could otherwise write another
 * tenant's bill.
 */
const HOUSE = /^(?:(?:vmgauge|hypeman|kata|scrape|ALERTS)(?:_|$)|up$)/;

/** By the beginning of its name, denied before allowed; names of the house only where they are allowed by name. */
function refusalOf(name: string, allow: readonly string[], deny: readonly string[]): DropReason | undefined {
  const begins = (beginnings: readonly string[]): boolean => beginnings.some((beginning) => name.startsWith(beginning));
  if (begins(deny)) return 'excluded';
  if (allow.length === 0) return HOUSE.test(name) ? 'ours' : undefined;
  return begins(allow) ? undefined : 'excluded';
}
