import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, gauge, type Metric, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { DROP_REASONS, type Dropped, type DropReason } from '../exposition/drop-reasons.js';
import type { ScrapedText } from '../exposition/scraped-text.js';
import { ShimScraper } from './scraper.js';
import type { ShimSocket } from './shim-socket.js';

const MILLISECOND_DECIMALS = 3;

/** What the last good answer came to; nothing while the last question was not answered well. */
const ANSWER = {
  series: metric({
    json: 'shim.socket.series',
    family: gauge({
      name: 'vmgauge_shim_socket_series',
      help: 'Series that the socket of a shim gave and that are passed on.',
      identity: 'sandbox',
    }),
  }),
  bytes: metric({
    json: 'shim.socket.answer_bytes',
    family: gauge({
      name: 'vmgauge_shim_socket_answer_bytes',
      help: 'Length of what the socket of a shim answered.',
      unit: 'bytes',
      identity: 'sandbox',
    }),
  }),
  dropped: metric({
    json: 'shim.socket.dropped',
    description: 'Series of the answer that are not passed on because something is wrong with them.',
  }),
};

/** Of the questions themselves; kept when one fails. */
const QUESTIONS = {
  seconds: metric({
    json: 'shim.socket.question_seconds',
    decimals: MILLISECOND_DECIMALS,
    family: gauge({
      name: 'vmgauge_shim_socket_question_seconds',
      help: 'How long the last question to the socket of a shim took, whatever came of it.',
      unit: 'seconds',
      identity: 'sandbox',
    }),
  }),
  age: metric({
    json: 'shim.socket.age_seconds',
    description: 'Age of what is passed on from the socket of the shim.',
    decimals: MILLISECOND_DECIMALS,
  }),
  answered: metric({
    json: 'shim.socket.last_success_timestamp_seconds',
    decimals: MILLISECOND_DECIMALS,
    family: gauge({
      name: 'vmgauge_shim_socket_last_success_timestamp_seconds',
      help: 'When the socket of a shim last answered well, in seconds since 1970.',
      unit: 'seconds',
      identity: 'sandbox',
    }),
  }),
  failures: metric({
    json: 'shim.socket.failures',
    family: counter({
      name: 'vmgauge_shim_socket_failures_total',
      help: 'Questions to the socket of a shim that were not answered well.',
      identity: 'sandbox',
    }),
  }),
};

const DROPPED = gauge({
  name: 'vmgauge_shim_socket_dropped_series',
  help: 'Series of the last answer of a shim that are not passed on, by reason: ours are read from the host instead.',
  identity: 'sandbox',
});
// The keys of a record whose type names them all.
const REASONS = Object.keys(DROP_REASONS) as DropReason[];
const dropped = (reason: DropReason): Metric =>
  metric({
    json: `shim.socket.dropped_${reason}`,
    description: `Not passed on: ${DROP_REASONS[reason]}.`,
    family: DROPPED,
    labels: { reason },
  });
const DROPS = REASONS.map(dropped);

/** As it should be. */
const WANTED: ReadonlySet<DropReason> = new Set(['ours', 'excluded']);

/**
 * How the sockets of shims answer. The asking is done off the sweep, by timers of its own, and only where the configuration allows it; see
 * askable.ts for what it can never allow.
 */
@Injectable()
export class ShimSocketCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'shim_socket',
    tier: 'sweep',
    reads:
      '`GET /metrics` of the socket of a Kata shim, off the sweep, and only of the shims that `shim.socket-runtimes` names; a shim asks its guest each time',
    enabled: true,
  };
  readonly about = ShimSocketCollector.about;
  readonly metrics = [];
  readonly sandboxMetrics = [...Object.values(ANSWER), ...DROPS];
  readonly keptMetrics = Object.values(QUESTIONS);
  private readonly answer;
  private readonly drops;
  private readonly questions;

  constructor(
    tables: Tables,
    private readonly host: Host,
    @Optional() private readonly scraper?: ShimScraper,
  ) {
    this.answer = tables.sandboxes.columnsOf(ANSWER);
    this.drops = DROPS.map((drop) => tables.sandboxes.column(drop));
    this.questions = tables.sandboxes.columnsOf(QUESTIONS);
  }

  concerns({ sandboxRow }: Subject): boolean {
    return sandboxRow >= 0;
  }

  attach(subject: Subject): void {
    if (this.concerns(subject)) this.scraper?.look(subject);
  }

  devices(subject: Subject): void {
    this.attach(subject);
  }

  detach(subject: Subject): void {
    this.scraper?.forget(subject);
  }

  /** Once a sweep: which series contradict each other can only be told of all together. */
  begin(): Iterable<void> {
    this.scraper?.families();
    return [];
  }

  collect(subject: Subject): Outcome {
    if (!subject.process) return Outcome.gone;
    const socket = this.scraper?.look(subject);
    if (!socket) return Outcome.notConfigured;
    this.putQuestions(subject.sandboxRow, socket);
    if (socket.outcome !== Outcome.ok) return socket.outcome;
    if (!socket.text) return Outcome.busy;
    this.putAnswer(subject, socket, socket.text);
    return Outcome.ok;
  }

  private putQuestions(row: number, { askedAt, seconds, text, answeredAt, answeredMs, failures }: ShimSocket): void {
    const { questions } = this;
    questions.seconds.back[row] = askedAt === null ? Number.NaN : Math.round(seconds * 1000);
    questions.age.back[row] = text ? Math.round(this.host.clock.monotonic() - answeredAt) : Number.NaN;
    questions.answered.back[row] = askedAt === null ? Number.NaN : answeredMs;
    questions.failures.back[row] = askedAt === null && failures === 0 ? Number.NaN : failures;
  }

  private putAnswer({ id, sandboxRow: row }: Subject, { answerBytes }: ShimSocket, text: ScrapedText): void {
    const conflicts = this.scraper?.conflicts(id) ?? Number.NaN;
    const counts: Dropped = { ...text.dropped, conflict: text.dropped.conflict + conflicts };
    this.answer.series.back[row] = text.series - conflicts;
    this.answer.bytes.back[row] = answerBytes;
    this.answer.dropped.back[row] = REASONS.reduce((sum, reason) => sum + (WANTED.has(reason) ? 0 : counts[reason]), 0);
    REASONS.forEach((reason, index) => {
      this.drops[index].back[row] = counts[reason];
    });
  }
}
