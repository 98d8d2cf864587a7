import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { gauge, type Metric, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { isTold, type VmmStateWord } from './answer.js';
import { VmmAsker } from './asker.js';
import { SilentVmm } from './silent-vmm.js';
import type { VmmContact } from './vmm-contact.js';

const MILLISECOND_DECIMALS = 3;

const DEGRADED = gauge({
  name: 'vmgauge_vm_degraded',
  help: '1 when there is evidence that the VM does not work although its process is there, 0 when its VMM was asked and says that all is well.',
});
const REASON = gauge({
  name: 'vmgauge_vm_degraded_reason',
  help: '1 for each reason why a VM counts as degraded, 0 for what was looked at and is not so: words of the VMM, and monitor_silent where it does not answer and its main loop is not scheduled.',
});
const reason = (word: string, description: string): Metric =>
  metric({ json: `degraded.${word}`, description, family: REASON, labels: { reason: word } });

/** Words of QMP's RunState that say so; paused by an I/O error is one of them. */
const REASONS = {
  'internal-error': reason('internal_error', '1 when the VMM gave up running the guest.'),
  'io-error': reason('io_error', '1 when the VMM stopped the guest at an error of its disk.'),
  'guest-panicked': reason('guest_panicked', '1 when the guest said that its kernel panicked.'),
  watchdog: reason('watchdog', '1 when the watchdog device of the guest expired.'),
} as const satisfies Partial<Record<VmmStateWord, Metric>>;
const SILENT = reason('monitor_silent', '1 when the VMM does not answer and its main loop sleeps through the question.');

/** State letters of the kernel, and its words for them. */
const LETTERS = 'RSDTtZXIP';
const STATES = ['running', 'sleeping', 'disk sleep', 'stopped', 'tracing stop', 'zombie', 'dead', 'idle', 'parked'];

const METRICS = {
  degraded: metric({ json: 'degraded.is_degraded', family: DEGRADED }),
  ...REASONS,
  silent: SILENT,
  idle: metric({
    json: 'degraded.main_loop_idle_seconds',
    description:
      'For at least how long the thread that answers questions has not run, while a question waits. Only for a VMM that is silent.',
    decimals: MILLISECOND_DECIMALS,
  }),
  mainLoop: metric({
    json: 'degraded.main_loop_state',
    description: 'What that thread does, in the words of proc_pid_status(5).',
    words: { label: 'state', list: STATES },
  }),
};
/** JSON words of the reasons, for views. */
type Words = keyof typeof REASONS;
const WORDS: readonly Words[] = ['internal-error', 'io-error', 'guest-panicked', 'watchdog'];

/**
 * Whether there is evidence that a VM does not work: by the VMM's own word, or because it has left two questions in a row unanswered and the
 * thread that would answer slept all through the last one. Without evidence it is 0 only when the VMM was asked and answered. A VMM stopped
 * by a signal is paused, one that wants a CPU and gets none is starved: neither is degraded.
 */
@Injectable()
export class DegradedCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'degraded',
    tier: 'sweep',
    reads: 'what the VMM said; `/proc/<pid>/task/<tid>/schedstat` and `stat` of its main loop, only while it does not answer',
    enabled: true,
  };
  readonly about = DegradedCollector.about;
  readonly metrics = Object.values(METRICS);
  private readonly columns;
  private readonly silences = new Map<number, SilentVmm>();

  constructor(
    tables: Tables,
    private readonly host: Host,
    @Optional() private readonly asker?: VmmAsker,
  ) {
    this.columns = tables.instances.columnsOf(METRICS);
  }

  /** A VMM that was asked, and told its state or was silent. */
  concerns(subject: Subject): boolean {
    const contact = this.asker?.known(subject);
    return contact !== undefined && (isSilent(contact) || stateOf(contact) !== null);
  }

  collect(subject: Subject): Outcome {
    const { row, process } = subject;
    const contact = this.asker?.known(subject);
    if (!process || contact?.process !== process) return Outcome.gone;
    this.empty(row);
    const word = stateOf(contact);
    const said = WORDS.find((reason) => reason === word);
    let silence: SilentVmm | null;
    try {
      silence = this.silenceOf(subject, contact);
    } catch (error) {
      return outcomeOfErrno(error);
    }
    if (silence) this.putSilence(row, silence);
    const isDegraded = said !== undefined || silence?.isProven === true;
    subject.isDegraded = isDegraded;
    // A word that is none of QMP's may mean anything.
    const isKnown = word !== null && word !== 'other' && contact.outcome === Outcome.ok;
    if (isDegraded || isKnown) this.columns.degraded.back[row] = isDegraded ? 1 : 0;
    for (const reason of WORDS) if (reason === said || isKnown) this.columns[reason].back[row] = reason === said ? 1 : 0;
    if (silence?.isProven || isKnown) this.columns.silent.back[row] = silence?.isProven ? 1 : 0;
    return Outcome.ok;
  }

  clear(subject: Subject): void {
    subject.isDegraded = false;
  }

  detach(subject: Subject): void {
    subject.isDegraded = false;
    this.silences.delete(subject.row);
  }

  private empty(row: number): void {
    for (const column of Object.values(this.columns)) column.back[row] = Number.NaN;
  }

  private putSilence(row: number, { idleMs, stateCode }: SilentVmm): void {
    this.columns.idle.back[row] = idleMs;
    const state = LETTERS.indexOf(String.fromCharCode(stateCode));
    this.columns.mainLoop.back[row] = state < 0 ? Number.NaN : state;
  }

  /** null for one that answers. @throws errors of reading */
  private silenceOf({ row, record }: Subject, contact: VmmContact): SilentVmm | null {
    if (!isSilent(contact) || !contact.process) {
      this.silences.delete(row);
      return null;
    }
    const known = this.silences.get(row);
    const silence = known?.process === contact.process ? known : new SilentVmm(contact.process, record.hypervisor);
    this.silences.set(row, silence);
    return silence.look(contact, this.host.clock.monotonic()) ? silence : null;
  }
}

const isSilent = ({ inRow, outcome }: VmmContact): boolean => inRow > 0 && outcome === Outcome.timeout;

const stateOf = ({ answer }: VmmContact): VmmStateWord | null => (answer && isTold(answer.state) ? answer.state.word : null);
