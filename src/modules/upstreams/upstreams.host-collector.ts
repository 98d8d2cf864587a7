import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { HostCollector, HostCollectorAbout } from '../../model/host-collector.js';
import type { HostFamily, HostSample } from '../../model/host-family.js';
import { label, labels } from '../../model/labels.js';
import { Outcome, outcomeWords } from '../../model/outcome.js';
import { millisecondsToSeconds } from '../../model/units.js';
import { DROP_REASONS, type DropReason } from '../exposition/drop-reasons.js';
import { AGENT_FAMILY, COLLECTOR, ENABLED, UpstreamScraper } from './scraper.js';
import type { UpstreamContact } from './upstream-contact.js';

// The keys of a record whose type names them all.
const REASONS = Object.keys(DROP_REASONS) as DropReason[];

type Words = Omit<HostFamily, 'samples' | 'type'>;
/** NaN and null have no sample. */
type ValueOf = (contact: UpstreamContact) => number | null;

/** How upstreams answer. They are asked off the sweep, by timers of their own; this looks at what is known of them. */
@Injectable()
export class UpstreamsHostCollector implements HostCollector {
  static readonly about: HostCollectorAbout = {
    name: COLLECTOR,
    tier: 'sweep',
    reads: 'pages of other exporters that `upstream.<name>.url` names, off the sweep; where it is off, none of them is asked',
    enabled: ENABLED,
  };
  readonly about = UpstreamsHostCollector.about;
  private readonly all: readonly HostFamily[];

  constructor(
    private readonly host: Host,
    @Optional() private readonly scraper?: UpstreamScraper,
  ) {
    this.all = [...this.questionFamilies(), ...this.answerFamilies(), this.agentFamily()];
  }

  /** Of the first that does not answer well; those that nobody has asked yet come after. */
  read(): Outcome {
    const { contacts } = this;
    if (contacts.length === 0) return Outcome.notConfigured;
    const one = contacts.find(({ refusal }) => refusal) ?? contacts.find(({ outcome }) => outcome !== Outcome.ok);
    return one?.outcome ?? Outcome.ok;
  }

  families(): readonly HostFamily[] {
    return this.all;
  }

  private get contacts(): readonly UpstreamContact[] {
    return this.scraper?.contacts ?? [];
  }

  /** Kept when a question fails. */
  private questionFamilies(): HostFamily[] {
    return [
      this.gauge(
        {
          name: 'vmgauge_upstream_up',
          help: '1 when the upstream answered the last question well, 0 when not; see vmgauge_upstream_outcome.',
        },
        ({ outcome, refusal }) => (refusal ? 0 : outcome === Outcome.ok ? 1 : null),
      ),
      {
        name: 'vmgauge_upstream_outcome',
        type: 'gauge',
        help: 'Always 1: how the last question to the upstream went, outcome ok, absent or failed and the reason.',
        labelNames: ['upstream', 'outcome', 'reason'],
        samples: () =>
          this.contacts.map(({ name, outcome: code }) => {
            const { outcome, reason = '' } = outcomeWords(code);
            return { labels: labels({ upstream: name, outcome, reason }), value: 1 };
          }),
      },
      this.gauge(
        {
          name: 'vmgauge_upstream_scrape_duration_seconds',
          help: 'How long the last question to the upstream took, whatever came of it.',
          unit: 'seconds',
        },
        ({ seconds }) => seconds,
      ),
      this.gauge(
        {
          name: 'vmgauge_upstream_last_success_timestamp_seconds',
          help: 'When the upstream last answered well, in seconds since 1970.',
          unit: 'seconds',
        },
        ({ answeredMs }) => millisecondsToSeconds(answeredMs),
      ),
      this.perUpstream(
        'counter',
        { name: 'vmgauge_upstream_failures_total', help: 'Questions to the upstream that were not answered well.' },
        ({ failures, askedAt }) => (askedAt === null ? null : failures),
      ),
    ];
  }

  /** Of what is passed on now; nothing where nothing is. */
  private answerFamilies(): HostFamily[] {
    return [
      this.gauge(
        {
          name: 'vmgauge_upstream_age_seconds',
          help: 'Age of what is passed on from the upstream: values of then, not of now.',
          unit: 'seconds',
        },
        ({ text, answeredAt }) => (text ? millisecondsToSeconds(this.host.clock.monotonic() - answeredAt) : null),
      ),
      this.gauge({ name: 'vmgauge_upstream_series', help: 'Series of the upstream that are passed on.' }, ({ text, name }) =>
        text && this.scraper ? text.series - this.scraper.conflicts(name) : null,
      ),
      this.gauge(
        { name: 'vmgauge_upstream_answer_bytes', help: 'Length of what the upstream answered.', unit: 'bytes' },
        ({ text, answerBytes }) => (text ? answerBytes : null),
      ),
      this.gauge(
        {
          name: 'vmgauge_upstream_text_only_series',
          help: 'Series that are passed on in the text format and are missing where OpenMetrics is asked for, which forbids what they hold.',
        },
        ({ text, name }) => (text && this.scraper ? (this.scraper.losses.textOnly.get(name) ?? 0) : null),
      ),
      {
        name: 'vmgauge_upstream_dropped_series',
        type: 'gauge',
        help: 'Series of the last answer of the upstream that are not passed on, by reason.',
        labelNames: ['upstream', 'reason'],
        samples: () => this.droppedSamples(),
      },
    ];
  }

  private *droppedSamples(): Iterable<HostSample> {
    for (const { name, text } of this.contacts) {
      if (!text) continue;
      const { conflict } = text.dropped;
      const counts = { ...text.dropped, conflict: conflict + (this.scraper?.conflicts(name) ?? Number.NaN) };
      for (const reason of REASONS) yield { labels: labels({ upstream: name, reason }), value: counts[reason] };
    }
  }

  private agentFamily(): HostFamily {
    return {
      name: AGENT_FAMILY,
      type: 'gauge',
      help: 'Always 1: who asks upstreams, another word for each start. An agent that finds its own in an answer has asked itself.',
      labelNames: ['agent'],
      samples: () => (this.scraper && this.contacts.length > 0 ? [{ labels: this.scraper.agentLabels, value: 1 }] : []),
    };
  }

  private gauge(words: Words, read: ValueOf): HostFamily {
    return this.perUpstream('gauge', words, read);
  }

  private perUpstream(type: HostFamily['type'], words: Words, read: ValueOf): HostFamily {
    return {
      ...words,
      type,
      labelNames: ['upstream'],
      samples: () =>
        this.contacts.flatMap((contact) => {
          const value = read(contact);
          return value === null || Number.isNaN(value) ? [] : [{ labels: label('upstream', contact.name), value }];
        }),
    };
  }
}
