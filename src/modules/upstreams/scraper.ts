import { randomBytes } from 'node:crypto';
import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { settledWithin } from '../../host/deadline.js';
import { Host } from '../../host/host.js';
import { Lanes } from '../../host/lanes.js';
import { pauseMs, spread } from '../../host/pacing.js';
import { Slicer } from '../../host/slicer.js';
import { label } from '../../model/labels.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { ExpositionParser } from '../exposition/exposition-parser.js';
import { type MergedTexts, mergeTexts } from '../exposition/merged-texts.js';
import type { PassedFamily } from '../exposition/passed-family.js';
import type { ScrapedText } from '../exposition/scraped-text.js';
import { type PageLosses, Upstreams } from '../exposition/upstream-families.js';
import { askUpstream } from './question.js';
import type { Refusal } from './refusal.js';
import { UpstreamContact } from './upstream-contact.js';

/** As many as there may be: one that hangs until its deadline holds nobody up. Each holds an answer of at most its `maxBytes` while it is read. */
const AT_A_TIME = 32;
/** About 100 µs of reading. */
const LINES_A_STEP = 256;
/** Looked through in a millisecond at the worst, where a text is all of one character of what is looked for. */
const BYTES_A_LOOK = 1 << 17;
/** All texts together may take this much; one within its share of it is always taken. */
const TEXTS_BYTES = 128 << 20;
/** The collector that shows how they answer; where it is off, nobody is asked. */
export const COLLECTOR = 'upstreams';
/** Where nobody says anything. */
export const ENABLED = true;
export const AGENT_FAMILY = 'vmgauge_upstreams_agent_info';
const ID_BYTES = 8;

const NOTHING_LOST: PageLosses = { conflicts: new Map(), textOnly: new Map() };

/** Asks other exporters, each on a timer of its own and never for longer than its timeout, and keeps what they last said. */
@Injectable()
export class UpstreamScraper extends Upstreams implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly configured: readonly string[];
  /** By name. */
  readonly contacts: readonly UpstreamContact[];
  /** Of this process. It stands on our page, so that an agent that asks itself finds it there. */
  readonly agentLabels = label('agent', randomBytes(ID_BYTES).toString('hex'));
  losses: PageLosses = NOTHING_LOST;
  private readonly logger = new Logger('upstreams');
  private readonly lanes = new Lanes(AT_A_TIME);
  /** One text at a time: each would take its step of every turn of the event loop, and a buffer of its length. */
  private readonly reading = new Lanes(1);
  private readonly parser = new ExpositionParser();
  private readonly stop = new AbortController();
  private merged: (MergedTexts & { readonly names: ReadonlySet<string> }) | null = null;

  constructor(
    private readonly host: Host,
    settings: Settings,
  ) {
    super();
    const isOn = settings.collectors.get(COLLECTOR) ?? ENABLED;
    const byName = [...(isOn ? settings.upstreams : [])].sort((a, b) => (a.name < b.name ? -1 : 1));
    this.contacts = byName.map((upstream, place) => new UpstreamContact(upstream, spread(place)));
    this.configured = this.contacts.map(({ name }) => name);
  }

  onApplicationBootstrap(): void {
    for (const contact of this.contacts) this.schedule(contact);
  }

  onApplicationShutdown(): void {
    this.stop.abort();
    for (const { timer } of this.contacts) clearTimeout(timer);
  }

  /** Asks all that are asked by nobody now, and waits for all that are, but no longer than this. */
  async settle(deadlineMs: number): Promise<void> {
    await settledWithin(
      this.contacts.map((contact) => this.ask(contact)),
      deadlineMs,
    );
  }

  families(): readonly PassedFamily[] {
    return this.look().families;
  }

  names(): ReadonlySet<string> {
    return this.look().names;
  }

  lost(losses: PageLosses): void {
    this.losses = losses;
  }

  /** Series of an upstream that stand on no page because others contradict them, as of the last page. */
  conflicts(name: string): number {
    return (this.look().conflicts.get(name) ?? 0) + (this.losses.conflicts.get(name) ?? 0);
  }

  private look(): MergedTexts & { readonly names: ReadonlySet<string> } {
    const now = this.host.clock.monotonic();
    for (const contact of this.contacts) if (contact.expire(now)) this.merged = null;
    if (this.merged) return this.merged;
    const inOrder = [...this.contacts.filter(({ isHere }) => isHere), ...this.contacts.filter(({ isHere }) => !isHere)];
    const merged = mergeTexts(inOrder.flatMap(({ text }) => text ?? []));
    const replacing = new Set(this.contacts.filter(({ replacesOurs }) => replacesOurs).map(({ name }) => name));
    const names = merged.families.filter(({ bodies }) => bodies.some(({ owner }) => replacing.has(owner))).map(({ name }) => name);
    this.merged = { ...merged, names: new Set(names) };
    return this.merged;
  }

  /** Without the growing pauses of those whom a question could harm: an exporter that is back is to be seen. */
  private schedule(contact: UpstreamContact): void {
    if (this.stop.signal.aborted) return;
    clearTimeout(contact.timer);
    const { askedAt, phase } = contact;
    const pause = pauseMs({ askedAt, phase, inRow: 0 }, contact.settings.intervalMs, Math.random());
    const since = askedAt === null ? 0 : this.host.clock.monotonic() - askedAt;
    contact.timer = setTimeout(() => void this.ask(contact), Math.max(0, pause - since)).unref();
  }

  /** A question that is under way is joined. Never rejects. */
  private ask(contact: UpstreamContact): Promise<void> {
    clearTimeout(contact.timer);
    contact.timer = undefined;
    contact.pending ??= this.lanes
      .run(() => this.put(contact))
      .catch((error: unknown) => {
        // A defect of ours: a stranger's are refusals.
        this.logger.error(`upstream ${contact.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
        contact.refused({ outcome: Outcome.ioError, cause: 'upstream', why: 'a defect of vmgauge, see its log' });
      })
      .finally(() => {
        contact.pending = null;
        this.schedule(contact);
      });
    return contact.pending;
  }

  private async put(contact: UpstreamContact): Promise<void> {
    if (this.stop.signal.aborted) return;
    const { clock } = this.host;
    const started = clock.monotonic();
    contact.askedAt = started;
    const answer = await askUpstream(contact.settings, contact.target, this.stop.signal);
    if (this.stop.signal.aborted) return;
    contact.seconds = (clock.monotonic() - started) / 1000;
    const before = contact.refusal;
    const refusal = Buffer.isBuffer(answer) ? await this.take(contact, answer) : answer;
    if (refusal) contact.refused(refusal);
    this.tell(contact, before);
  }

  /** Reads a page and keeps it. @returns why not */
  private async take(contact: UpstreamContact, body: Buffer): Promise<Refusal | undefined> {
    const text = await this.reading.run(() => this.read(contact, body));
    if (!text) return { outcome: Outcome.unsupported, cause: 'self', why: 'it is this agent itself' };
    const nothing = nothingIn(text);
    if (nothing) return nothing;
    if (!this.hasRoom(contact, text))
      return { outcome: Outcome.tooLarge, cause: 'size', why: 'there is no room for its series beside the others' };
    contact.answered(text, body.length, this.host.clock.monotonic(), this.host.clock.now());
    this.merged = null;
    return undefined;
  }

  /** Once per change, not once per question. */
  private tell({ name, refusal, outcome }: UpstreamContact, before: Refusal | null): void {
    if (refusal?.why === before?.why) return;
    if (refusal) this.logger.warn(`upstream ${name}: ${refusal.why}`);
    else if (outcome === Outcome.ok) this.logger.log(`upstream ${name}: answers again`);
  }

  /** In steps, so that a long text holds nobody up. @returns undefined for a page of this agent */
  private async read({ name, labels, rules }: UpstreamContact, body: Buffer): Promise<ScrapedText | undefined> {
    const { parser } = this;
    const slicer = new Slicer(this.host.clock);
    const own = Buffer.from(`\n${AGENT_FAMILY}{${this.agentLabels}} `);
    for (let from = 0; from < body.length; from += BYTES_A_LOOK) {
      if (body.subarray(from, from + BYTES_A_LOOK + own.length).includes(own)) return undefined;
      const pause = slicer.pause();
      if (pause) await pause;
    }
    parser.start(body, { owner: name, labels, rules });
    while (parser.step(LINES_A_STEP)) {
      const pause = slicer.pause();
      if (pause) await pause;
    }
    return parser.finish();
  }

  private hasRoom(contact: UpstreamContact, text: ScrapedText): boolean {
    const others = this.contacts.reduce((sum, other) => sum + (other === contact ? 0 : (other.text?.bytes ?? 0)), 0);
    return others + text.bytes <= TEXTS_BYTES || text.bytes <= TEXTS_BYTES / this.contacts.length;
  }
}

/** Why a text is none; what the configuration leaves out is one. */
function nothingIn({ series, dropped }: ScrapedText): Refusal | undefined {
  if (series + dropped.excluded > 0) return undefined;
  if (dropped.ours > 0) {
    const why = 'all that it says has names of this agent (vmgauge_, hypeman_, kata_), which only `allow` lets through';
    return { outcome: Outcome.notConfigured, cause: 'names', why };
  }
  const isRead = Object.values(dropped).reduce((sum, count) => sum + count, 0) > dropped.malformed;
  const why = isRead ? 'none of its samples can be passed on' : 'its answer holds no sample in the text format';
  return { outcome: Outcome.malformed, cause: 'page', why };
}
