import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { settledWithin } from '../../host/deadline.js';
import { Host } from '../../host/host.js';
import { Lanes } from '../../host/lanes.js';
import { pauseMs, spread } from '../../host/pacing.js';
import { Slicer } from '../../host/slicer.js';
import type { Subject } from '../../model/collector.js';
import type { Runtime } from '../../model/instance.js';
import { Outcome, outcomeWords } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { Settings } from '../../model/settings.js';
import { Tables } from '../../model/tables.js';
import { ExpositionParser } from '../exposition/exposition-parser.js';
import type { PassedFamily } from '../exposition/passed-family.js';
import type { ScrapedText } from '../exposition/scraped-text.js';
import { isAlive } from '../procfs/held-process.js';
import { mayBeAsked } from './askable.js';
import { declaredNames, FamilyRules } from './family-rules.js';
import { type MergedFamilies, mergeFamilies } from './merged-families.js';
import { type LastWords, PassThrough } from './pass-through.js';
import { askShim } from './question.js';
import { sandboxLabels } from './sandbox-labels.js';
import { ShimSocket } from './shim-socket.js';

const AT_A_TIME = 4;
/** About 100 µs of reading. */
const LINES_A_STEP = 256;
/** All texts together may take this much, or half a MiB a sandbox: twice what a shim has to say, with all its labels. */
const TEXTS_BYTES = 64 << 20;
const TEXT_BYTES = 1 << 19;

/**
 * Asks the sockets of the shims that may be asked, each on a timer of its own and never for longer than its deadline, and keeps what they last
 * said. Nobody who reads waits for a shim.
 */
@Injectable()
export class ShimScraper extends PassThrough implements OnApplicationShutdown {
  /** Of one question. */
  readonly limits = { deadlineMs: 1000, bodyBytes: 4 << 20 };
  private readonly logger = new Logger('shim');
  private readonly sockets = new Map<Subject, ShimSocket>();
  private readonly lanes = new Lanes(AT_A_TIME);
  private readonly parsers: ExpositionParser[] = [];
  private readonly rules = new Map<Runtime, FamilyRules>();
  /** Questions under way, by directory of the sandbox. */
  private readonly asked = new Map<string, Promise<void>>();
  private merged: MergedFamilies | null = null;
  private seen = 0;
  /** Nobody is asked by a timer any more. */
  private isStopped = false;

  constructor(
    private readonly host: Host,
    private readonly settings: Settings,
    private readonly tables: Tables,
  ) {
    super();
  }

  /** A sandbox as it is now: from now on it is asked, or not any more. @returns what is known of its socket */
  look(subject: Subject): ShimSocket {
    const socket = this.socketOf(subject);
    const shim = subject.companion('shim');
    const standing = this.standing(subject);
    const hadText = socket.text !== null;
    if (socket.shim !== shim) socket.begin(shim);
    if (standing !== Outcome.ok) socket.rest(standing);
    else if (socket.timer === undefined && !socket.pending) this.schedule(socket);
    socket.expire(this.host.clock.monotonic(), this.settings.shimSocketIntervalMs);
    if (hadText && !socket.text) this.merged = null;
    return socket;
  }

  /** What is known of a socket, without a look at who it is now; undefined for a shim that nobody is to ask. */
  known(subject: Subject): ShimSocket | undefined {
    return this.sockets.get(subject);
  }

  /** A sandbox that is gone. What its shim answers from now on reaches nobody. */
  forget(subject: Subject): void {
    const socket = this.sockets.get(subject);
    if (!socket) return;
    this.sockets.delete(subject);
    socket.rest(Outcome.gone);
    this.merged = null;
  }

  /** Asks every shim that was never asked, once, and waits for all that are asked, but no longer than this. */
  async settle(deadlineMs: number): Promise<void> {
    const open = [...this.sockets.values()].filter(
      ({ subject, askedAt, pending }) => this.standing(subject) === Outcome.ok && (askedAt === null || pending),
    );
    await this.askAll(open, deadlineMs);
  }

  /** For a process that ends soon: asks the shim of this sandbox, where it may, and from now on nobody by itself. */
  async askOnly(subject: Subject, deadlineMs: number): Promise<void> {
    this.isStopped = true;
    for (const { timer } of this.sockets.values()) clearTimeout(timer);
    const socket = this.look(subject);
    if (this.standing(subject) === Outcome.ok) await this.askAll([socket], deadlineMs);
  }

  families(): readonly PassedFamily[] {
    const now = this.host.clock.monotonic();
    for (const socket of this.sockets.values()) {
      if (socket.expire(now, this.settings.shimSocketIntervalMs)) this.merged = null;
      this.relabel(socket);
    }
    this.merged ??= mergeFamilies(
      [...this.sockets.values()].flatMap(({ text }) => text ?? []).sort((a, b) => (a.owner < b.owner ? -1 : 1)),
    );
    return this.merged.families;
  }

  own(instanceId: string): readonly PassedFamily[] {
    for (const [{ id }, { text }] of this.sockets) if (id === instanceId) return text?.own() ?? [];
    return [];
  }

  last(subject: Subject): LastWords | null {
    return this.sockets.get(subject) ?? null;
  }

  /** Series of a sandbox that others contradict, as of the last look at `families`. */
  conflicts(instanceId: string): number {
    const lost = this.merged?.conflicts.get(instanceId);
    return lost === undefined ? 0 : lost;
  }

  onApplicationShutdown(): void {
    this.isStopped = true;
    for (const subject of this.sockets.keys()) this.forget(subject);
  }

  private async askAll(sockets: readonly ShimSocket[], deadlineMs: number): Promise<void> {
    await settledWithin(
      sockets.map((socket) => this.ask(socket)),
      deadlineMs,
    );
  }

  private standing(subject: Subject): Outcome {
    return mayBeAsked(subject, this.settings.shimSocketRuntimes);
  }

  private socketOf(subject: Subject): ShimSocket {
    const known = this.sockets.get(subject);
    if (known) return known;
    const socket = new ShimSocket(subject, spread(this.seen++));
    this.sockets.set(subject, socket);
    return socket;
  }

  private relabel(socket: ShimSocket): void {
    const { subject, text } = socket;
    if (!text || socket.labelsVersion === subject.version) return;
    socket.labelsVersion = subject.version;
    if (text.relabel(sandboxLabels(subject, this.settings.kataCriLabels))) this.merged = null;
  }

  private schedule(socket: ShimSocket): void {
    if (this.isStopped) return;
    clearTimeout(socket.timer);
    const pause = pauseMs(socket, this.settings.shimSocketIntervalMs, Math.random());
    socket.timer = setTimeout(() => void this.ask(socket), pause).unref();
  }

  /** A question that is under way is joined. Never rejects. */
  private ask(socket: ShimSocket): Promise<void> {
    clearTimeout(socket.timer);
    socket.timer = undefined;
    socket.pending ??= this.lanes
      .run(() => this.question(socket))
      .catch((error: unknown) => {
        // A defect of ours: a stranger's are outcomes.
        this.logger.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
        socket.failed(Outcome.ioError);
      })
      .finally(() => {
        socket.pending = null;
        if (this.sockets.get(socket.subject) === socket && this.standing(socket.subject) === Outcome.ok) this.schedule(socket);
      });
    return socket.pending;
  }

  private async question(socket: ShimSocket): Promise<void> {
    const { directory } = socket.subject.record.sandbox ?? {};
    if (directory === undefined) return;
    // One that was forgotten and is back, while the question to what it was before is still under way.
    for (let other = this.asked.get(directory); other; other = this.asked.get(directory)) await other.catch(() => undefined);
    const wasFailing = socket.inRow > 0;
    const own = this.put(socket);
    this.asked.set(directory, own);
    try {
      await own;
    } finally {
      this.asked.delete(directory);
      if (socket.inRow > 0 !== wasFailing) this.tell(socket);
    }
  }

  /** Once per change, not once per question. */
  private tell({ subject: { id }, inRow, outcome }: ShimSocket): void {
    if (inRow > 0) this.logger.warn(`shim of ${id}: asked over its socket it gave no metrics (${outcomeWords(outcome).reason})`);
    else if (outcome === Outcome.ok) this.logger.log(`shim of ${id}: answers again`);
  }

  private async put(socket: ShimSocket): Promise<void> {
    const { subject, shim } = socket;
    if (!shim || !this.isStill(socket, shim)) return;
    const { clock } = this.host;
    const started = clock.monotonic();
    socket.askedAt = started;
    const answer = await askShim(subject, shim, this.limits);
    if (!this.isStill(socket, shim)) return;
    socket.seconds = (clock.monotonic() - started) / 1000;
    if (typeof answer === 'number') return socket.failed(answer);
    if (!isAlive(shim)) return socket.failed(Outcome.gone);
    const { version } = subject;
    const text = await this.read(subject, answer);
    if (!this.isStill(socket, shim)) return;
    const { ours, excluded } = text.dropped;
    if (text.series + ours + excluded === 0) return socket.failed(Outcome.malformed);
    if (!this.hasRoom(socket, text)) return socket.failed(Outcome.tooLarge);
    socket.answered(text, answer.length, clock.monotonic(), clock.now());
    socket.labelsVersion = version;
    this.merged = null;
  }

  /** Whether the sandbox is here, may be asked, and has this shim: the process stays open for as long as it is its companion. */
  private isStill(socket: ShimSocket, shim: HeldProcess): boolean {
    const { subject } = socket;
    const isKnown = this.sockets.get(subject) === socket && socket.shim === shim;
    return isKnown && subject.companion('shim') === shim && this.standing(subject) === Outcome.ok;
  }

  /** In steps, so that a long text holds nobody up. */
  private async read(subject: Subject, body: Buffer): Promise<ScrapedText> {
    const parser = this.parsers.pop() ?? new ExpositionParser();
    const labels = sandboxLabels(subject, this.settings.kataCriLabels);
    const slicer = new Slicer(this.host.clock);
    parser.start(body, { owner: subject.id, labels, rules: this.rulesOf(subject) });
    while (parser.step(LINES_A_STEP)) {
      const pause = slicer.pause();
      if (pause) await pause;
    }
    const text = parser.finish();
    this.parsers.push(parser);
    return text;
  }

  private rulesOf({ record }: Subject): FamilyRules {
    const runtime = record.sandbox?.runtime ?? 'rust';
    const rules = this.rules.get(runtime) ?? new FamilyRules(runtime, declaredNames(this.tables), this.settings.shimExcludeFamilies);
    this.rules.set(runtime, rules);
    return rules;
  }

  /** A text beyond its share is refused when there is not enough room for all. */
  private hasRoom(socket: ShimSocket, text: ScrapedText): boolean {
    const { size } = this.sockets;
    const room = Math.max(TEXTS_BYTES, size * TEXT_BYTES);
    let others = 0;
    for (const other of this.sockets.values()) if (other !== socket && other.text) others += other.text.bytes;
    return others + text.bytes <= room || text.bytes <= room / size;
  }
}
