import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, gauge, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { VmmAsker } from './asker.js';
import type { VmmContact } from './vmm-contact.js';

const MILLISECOND_DECIMALS = 3;

/** Of the rounds of questions themselves and of what they cost the VMM; kept when one fails. */
const ROUNDS = {
  seconds: metric({
    json: 'vmm.question_seconds',
    decimals: MILLISECOND_DECIMALS,
    family: gauge({
      name: 'vmgauge_vmm_question_seconds',
      help: 'How long the last round of questions to the VMM took, whatever came of it.',
      unit: 'seconds',
    }),
  }),
  age: metric({ json: 'vmm.age_seconds', description: 'Age of what the VMM said.', decimals: MILLISECOND_DECIMALS }),
  answered: metric({
    json: 'vmm.last_success_timestamp_seconds',
    decimals: MILLISECOND_DECIMALS,
    family: gauge({
      name: 'vmgauge_vmm_last_success_timestamp_seconds',
      help: 'When the VMM last answered, in seconds since 1970.',
      unit: 'seconds',
    }),
  }),
  failures: metric({
    json: 'vmm.failures',
    family: counter({ name: 'vmgauge_vmm_question_failures_total', help: 'Rounds of questions that the VMM did not answer.' }),
  }),
  connections: metric({
    json: 'vmm.connections',
    family: counter({ name: 'vmgauge_vmm_connections_total', help: 'Connections this agent made to the VMM.' }),
  }),
  questions: metric({
    json: 'vmm.questions',
    family: counter({ name: 'vmgauge_vmm_questions_total', help: 'Commands and requests this agent sent to the VMM.' }),
  }),
  connected: metric({
    json: 'vmm.connected_seconds',
    decimals: MILLISECOND_DECIMALS,
    family: counter({
      name: 'vmgauge_vmm_connected_seconds_total',
      help: 'Time this agent was connected to the VMM, and nobody else could use that connection.',
      unit: 'seconds',
    }),
  }),
};

/**
 * How the VMM answers what this agent asks it, and what the asking costs it. The asking is done off the sweep, by timers of its own, and only
 * where the configuration and the VMM's owner leave a door; see the dialogues for what each kind is asked.
 */
@Injectable()
export class VmmCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'vmm',
    tier: 'sweep',
    reads: 'the control socket of the VMM, off the sweep: QMP, the APIs of Cloud Hypervisor and Firecracker, the shim for Dragonball',
    enabled: true,
  };
  readonly about = VmmCollector.about;
  readonly metrics = [];
  readonly keptMetrics = Object.values(ROUNDS);
  private readonly rounds;

  constructor(
    tables: Tables,
    private readonly host: Host,
    @Optional() private readonly asker?: VmmAsker,
  ) {
    this.rounds = tables.instances.columnsOf(ROUNDS);
  }

  attach(subject: Subject): void {
    this.asker?.look(subject);
  }

  devices(subject: Subject): void {
    this.attach(subject);
  }

  detach(subject: Subject): void {
    this.asker?.forget(subject);
  }

  collect(subject: Subject): Outcome {
    if (!subject.process) return Outcome.gone;
    const contact = this.asker?.look(subject);
    if (!contact) return Outcome.notConfigured;
    this.put(subject.row, contact);
    // Answered too long ago, and not asked since.
    return contact.outcome === Outcome.ok && !contact.answer ? Outcome.busy : contact.outcome;
  }

  private put(row: number, { askedAt, seconds, answer, answeredAt, answeredMs, failures, intrusion }: VmmContact): void {
    const { rounds } = this;
    const wasAsked = askedAt !== null || intrusion.questions > 0;
    // On most hosts most VMMs are never asked: their cells are empty already.
    if (!wasAsked && Number.isNaN(rounds.questions.back[row])) return;
    const asked = (value: number): number => (wasAsked ? value : Number.NaN);
    rounds.seconds.back[row] = asked(Math.round(seconds * 1000));
    rounds.age.back[row] = answer ? Math.round(this.host.clock.monotonic() - answeredAt) : Number.NaN;
    rounds.answered.back[row] = asked(answeredMs);
    rounds.failures.back[row] = asked(failures);
    rounds.connections.back[row] = asked(intrusion.connections);
    rounds.questions.back[row] = asked(intrusion.questions);
    rounds.connected.back[row] = asked(Math.round(intrusion.connectedMs));
  }
}
