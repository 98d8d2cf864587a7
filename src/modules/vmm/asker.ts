import { Inject, Injectable, Logger, type OnApplicationShutdown, Optional } from '@nestjs/common';
import { settledWithin, withDeadline } from '../../host/deadline.js';
import { Host } from '../../host/host.js';
import { Lanes } from '../../host/lanes.js';
import { pauseMs, spread } from '../../host/pacing.js';
import type { Subject } from '../../model/collector.js';
import { Outcome, outcomeOfErrno, outcomeWords } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { Settings } from '../../model/settings.js';
import { isAlive } from '../procfs/held-process.js';
import { PassThrough } from '../shim/pass-through.js';
import type { VmmAnswer } from './answer.js';
import type { Dialogue, DialogueTools } from './dialogue.js';
import { VMM_DIALOGUES } from './dialogues.js';
import { VmmContact } from './vmm-contact.js';

/** Ten VMMs of a hundred that hang hold up the others for two deadlines. */
const AT_A_TIME = 8;
/** A conversation ends itself at its deadline; one that does not is ended. */
const GRACE_MS = 100;
/** After what a VMM says of its own accord it is asked soon, but not more often than this: a guest can make its VMM talk. */
const SOON_MS = 20;
const LEAST_PAUSE_MS = 2000;
/** Nothing was asked then. */
const DOORS: ReadonlyMap<Outcome, string> = new Map<Outcome, string>([
  [Outcome.busy, 'somebody else is connected'],
  [Outcome.notPermitted, 'its socket may not be written to, or is not its own'],
  [Outcome.notConfigured, 'its socket is not there'],
]);

/**
 * Asks the VMMs that may be asked, each on a timer of its own and never for longer than its deadline, and keeps what they last said. Nobody
 * who reads waits for a VMM.
 */
@Injectable()
export class VmmAsker implements OnApplicationShutdown {
  private readonly logger = new Logger('vmm');
  private readonly contacts = new Map<Subject, VmmContact>();
  /** The collectors of all topics ask about one instance before any asks about the next. */
  private latest: VmmContact | undefined;
  private readonly lanes = new Lanes(AT_A_TIME);
  private readonly tools: DialogueTools;
  private seen = 0;
  /** Nobody is asked by a timer any more. */
  private isStopped = false;

  constructor(
    private readonly host: Host,
    private readonly settings: Settings,
    @Inject(VMM_DIALOGUES) private readonly dialogues: readonly Dialogue[],
    @Optional() shims?: PassThrough,
  ) {
    this.tools = { host, settings, shims: shims ?? null, stays: () => !this.isStopped };
  }

  /** An instance as it is now: from now on its VMM is asked, or not any more. @returns what is known of it */
  look(subject: Subject): VmmContact {
    const contact = this.contactOf(subject);
    const dialogue = this.dialogueOf(contact);
    if (contact.process !== subject.process || contact.dialogue !== dialogue) contact.begin(subject.process, dialogue);
    contact.leadTo(subject.record.sockets?.[0]);
    const standing = this.standing(contact);
    if (contact.goesOn(subject.process)) this.soon(contact);
    if (standing !== Outcome.ok) {
      contact.rest(standing);
      return contact;
    }
    if (contact.timer === undefined && !contact.pending) this.schedule(contact);
    contact.expire(this.host.clock.monotonic(), this.settings.vmmIntervalMs);
    return contact;
  }

  /** What is known of a VMM without a look at what it is now; undefined for one that nobody looked at. */
  known(subject: Subject): VmmContact | undefined {
    if (this.latest?.subject !== subject) this.latest = this.contacts.get(subject);
    return this.latest;
  }

  /** What the VMM said, as long as that is not too long ago. */
  answer(subject: Subject): VmmAnswer | null {
    return this.known(subject)?.answer ?? null;
  }

  /** An instance that is gone. What its VMM answers from now on reaches nobody. */
  forget(subject: Subject): void {
    this.contacts.get(subject)?.rest(Outcome.gone);
    this.contacts.delete(subject);
    this.latest = undefined;
  }

  /** Asks every VMM that was never asked, once, and waits for all that are asked, but no longer than this. */
  async settle(deadlineMs: number): Promise<void> {
    const open = [...this.contacts.values()].filter((contact) => contact.askedAt === null || contact.pending);
    await this.askAll(open, deadlineMs);
  }

  /** For a process that ends soon: asks the VMM of this instance, where it may, and from now on nobody by itself. */
  async askOnly(subject: Subject, deadlineMs: number): Promise<void> {
    this.isStopped = true;
    for (const { timer } of this.contacts.values()) clearTimeout(timer);
    await this.askAll([this.look(subject)], deadlineMs);
  }

  onApplicationShutdown(): void {
    this.isStopped = true;
    for (const subject of this.contacts.keys()) this.forget(subject);
  }

  private async askAll(contacts: readonly VmmContact[], deadlineMs: number): Promise<void> {
    const open = contacts.filter((contact) => this.standing(contact) === Outcome.ok);
    await settledWithin(
      open.map((contact) => this.ask(contact)),
      deadlineMs,
    );
  }

  private standing({ subject, process, dialogue }: VmmContact): Outcome {
    if (!process) return Outcome.gone;
    return dialogue ? dialogue.standing(subject, this.tools) : Outcome.unsupported;
  }

  private dialogueOf({ subject, dialogue }: VmmContact): Dialogue | null {
    const { hypervisor } = subject.record;
    return dialogue?.hypervisor === hypervisor ? dialogue : (this.dialogues.find((one) => one.hypervisor === hypervisor) ?? null);
  }

  private contactOf(subject: Subject): VmmContact {
    const known = this.known(subject);
    if (known) return known;
    const contact = new VmmContact(subject, spread(this.seen++));
    this.contacts.set(subject, contact);
    return contact;
  }

  /** There is news: its next round comes before its time. */
  private soon(contact: VmmContact): void {
    if (contact.hasNews) return;
    contact.hasNews = true;
    if (!contact.pending && contact.askedAt !== null) this.schedule(contact);
  }

  private schedule(contact: VmmContact): void {
    if (this.isStopped) return;
    clearTimeout(contact.timer);
    const pause = contact.hasNews ? this.soonMs(contact) : pauseMs(contact, this.settings.vmmIntervalMs, Math.random());
    contact.timer = setTimeout(() => void this.ask(contact), pause).unref();
  }

  private soonMs({ askedAt }: VmmContact): number {
    const since = askedAt === null ? Number.POSITIVE_INFINITY : this.host.clock.monotonic() - askedAt;
    return Math.min(Math.max(SOON_MS, LEAST_PAUSE_MS - since), this.settings.vmmIntervalMs);
  }

  /** A round that is under way is joined. Never rejects. */
  private ask(contact: VmmContact): Promise<void> {
    clearTimeout(contact.timer);
    contact.timer = undefined;
    contact.pending ??= this.lanes
      .run(() => this.round(contact))
      .finally(() => {
        contact.pending = null;
        if (this.contacts.get(contact.subject) === contact && this.standing(contact) === Outcome.ok) this.schedule(contact);
      });
    return contact.pending;
  }

  private async round(contact: VmmContact): Promise<void> {
    const { process, dialogue } = contact;
    if (!process || !dialogue || !this.isStill(contact, process, dialogue)) return;
    const { clock } = this.host;
    const wasFailing = contact.inRow > 0;
    const started = clock.monotonic();
    contact.askedAt = started;
    contact.hasNews = false;
    const answer = await this.put(contact, process, dialogue);
    if (!this.isStill(contact, process, dialogue)) return;
    contact.seconds = (clock.monotonic() - started) / 1000;
    // Whoever answered has to be the process that is held: a socket's path may belong to another one by now.
    if (!isAlive(process)) contact.failed(Outcome.gone);
    // Not the VMM is gone but its door.
    else if (typeof answer === 'number') contact.failed(answer === Outcome.gone ? Outcome.notConfigured : answer);
    else contact.answered(answer, clock.monotonic(), clock.now());
    if (contact.inRow > 0 !== wasFailing) this.tell(contact);
  }

  private async put(contact: VmmContact, process: HeldProcess, dialogue: Dialogue): Promise<Exclude<Outcome, 0> | VmmAnswer> {
    const { vmmDeadlineMs } = this.settings;
    try {
      contact.conversation ??= dialogue.begin(contact.subject, process, {
        ...this.tools,
        heard: () => this.soon(contact),
      });
      return await withDeadline(contact.conversation.ask(vmmDeadlineMs), vmmDeadlineMs + GRACE_MS, 'asking a VMM');
    } catch (error) {
      // A conversation that missed its deadline, or a defect of ours: a stranger's are outcomes.
      const outcome = outcomeOfErrno(error);
      if (outcome !== Outcome.timeout) this.logger.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
      if (contact.process === process) contact.hangUp();
      return outcome === Outcome.ok ? Outcome.ioError : outcome;
    }
  }

  /** Once per change, not once per round. */
  private tell({ subject: { id }, dialogue, inRow, outcome }: VmmContact): void {
    const { reason } = outcomeWords(outcome);
    if (inRow > 0 && DOORS.has(outcome))
      this.logger.log(`VMM of ${id}: not asked over ${dialogue?.name}, ${DOORS.get(outcome)} (${reason})`);
    else if (inRow > 0) this.logger.warn(`VMM of ${id}: asked over ${dialogue?.name} it gave no answer (${reason})`);
    else if (outcome === Outcome.ok) this.logger.log(`VMM of ${id}: answers again`);
  }

  private isStill(contact: VmmContact, process: HeldProcess, dialogue: Dialogue): boolean {
    const { subject } = contact;
    const isKnown = this.contacts.get(subject) === contact && contact.process === process && contact.dialogue === dialogue;
    return isKnown && subject.process === process && this.standing(contact) === Outcome.ok;
  }
}
