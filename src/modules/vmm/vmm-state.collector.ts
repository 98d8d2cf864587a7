import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { gauge, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { isTold, VMM_STATES } from './answer.js';
import { VmmAsker } from './asker.js';
import { hasAnswered, topic } from './topics.js';

const METRICS = {
  state: metric({
    json: 'vmm.state',
    words: { label: 'state', list: VMM_STATES },
    family: gauge({
      name: 'vmgauge_vm_vmm_state',
      help: 'Always 1 for the state in the VMM’s own words, QMP’s where another VMM means the same; the other states have no sample.',
    }),
  }),
};

/** What the VMM says the VM does. It decides the state of the instance too, for as long as the answer stands. */
@Injectable()
export class VmmStateCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'vmm_state',
    tier: 'sweep',
    reads: 'what the VMM answered `vmm`: whether the VM runs, pauses, sleeps or failed, and what the VMM calls itself',
    enabled: true,
  };
  readonly about = VmmStateCollector.about;
  readonly metrics = Object.values(METRICS);
  private readonly columns;

  constructor(
    tables: Tables,
    _host: Host,
    @Optional() private readonly asker?: VmmAsker,
  ) {
    this.columns = tables.instances.columnsOf(METRICS);
  }

  concerns(subject: Subject): boolean {
    return hasAnswered(this.asker, subject);
  }

  collect(subject: Subject): Outcome {
    const said = topic(this.asker, subject, ({ state }) => state);
    if (!subject.process) return Outcome.gone;
    this.name(subject);
    if (!isTold(said)) {
      subject.vmmState = null;
      return said;
    }
    subject.vmmState = said.state;
    this.columns.state.back[subject.row] = VMM_STATES.indexOf(said.word);
    return Outcome.ok;
  }

  /** Nobody knows any more what it does. What it calls itself stays beside what else it said. */
  clear(subject: Subject): void {
    subject.vmmState = this.asker?.known(subject)?.isLost ? 'unknown' : null;
    if (!this.concerns(subject)) subject.vmmWords = null;
  }

  detach(subject: Subject): void {
    subject.vmmState = null;
    subject.vmmWords = null;
  }

  private name(subject: Subject): void {
    const contact = this.asker?.known(subject);
    const dialogue = contact?.dialogue?.name ?? null;
    const version = contact?.answer?.version ?? null;
    if (subject.vmmWords?.dialogue !== dialogue || subject.vmmWords.version !== version) subject.vmmWords = { dialogue, version };
  }
}
