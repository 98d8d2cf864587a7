import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import type { Nic } from '../../model/instance.js';
import { counter, type Family, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { Tables } from '../../model/tables.js';
import { type GuestCounters, Side } from './direction.js';
import type { NetworkNamespace, Watcher } from './namespace.js';
import { Namespaces } from './namespaces.js';

const hypeman = (word: string, verb: string): Family =>
  counter({ name: `hypeman_vm_network_${word}_bytes_total`, help: `Network bytes ${verb}`, unit: 'bytes', identity: 'id_and_name' });

const METRICS = {
  rx: metric({
    json: 'network_rx_bytes',
    description: 'Bytes that the VM received, all interfaces; null when one of them cannot be counted.',
    family: hypeman('rx', 'received'),
    rate: 'network_rx_bytes_per_second',
  }),
  tx: metric({
    json: 'network_tx_bytes',
    description: 'Bytes that the VM transmitted, all interfaces; null when one of them cannot be counted.',
    family: hypeman('tx', 'transmitted'),
    rate: 'network_tx_bytes_per_second',
  }),
};

const interfaceCounter = (json: string, name: string, help: string, unit?: 'bytes') =>
  metric({ json, family: counter({ name, help, identity: 'interface', ...(unit ? { unit } : {}) }) });

const INTERFACE_METRICS = {
  rxBytes: interfaceCounter(
    'rx_bytes',
    'vmgauge_vm_network_receive_bytes_total',
    'Bytes the VM received on the interface (host side: tap transmit).',
    'bytes',
  ),
  txBytes: interfaceCounter(
    'tx_bytes',
    'vmgauge_vm_network_transmit_bytes_total',
    'Bytes the VM transmitted on the interface (host side: tap receive).',
    'bytes',
  ),
  rxPackets: interfaceCounter(
    'rx_packets',
    'vmgauge_vm_network_receive_packets_total',
    'Frames the VM received. Offloading makes one of up to 64 KiB.',
  ),
  txPackets: interfaceCounter(
    'tx_packets',
    'vmgauge_vm_network_transmit_packets_total',
    'Frames the VM transmitted. Offloading makes one of up to 64 KiB.',
  ),
  rxErrors: interfaceCounter('rx_errors', 'vmgauge_vm_network_receive_errors_total', 'Errors of frames on their way into the VM.'),
  txErrors: interfaceCounter('tx_errors', 'vmgauge_vm_network_transmit_errors_total', 'Errors of frames on their way out of the VM.'),
  rxDrops: interfaceCounter('rx_drops', 'vmgauge_vm_network_receive_drops_total', 'Frames that the host could not hand to the VM.'),
  txDrops: interfaceCounter('tx_drops', 'vmgauge_vm_network_transmit_drops_total', 'Frames of the VM that the host did not take.'),
};
/** Says per interface why there are no counters; part of the document, no family. */
const INTERFACE_OUTCOME = metric({ json: 'outcome', description: 'ok, or why this interface has no counters.' });

/**
 * How long a doubt lasts at most. Where a rescan looks at the descriptors it ends with the next one; a source that only names interfaces
 * never tells another name.
 */
const DOUBT_MS = 10_000;

/** An interface of an instance: its row, and the pass in which its line was last seen. */
interface Attachment extends Watcher {
  readonly row: number;
  readonly namespace: NetworkNamespace | null;
  /** Why there is no namespace: no table could be opened at all. */
  readonly unopened: Outcome;
  pass: number;
  /** The pass in which its line was last seen and did not parse. */
  malformedPass: number;
  rxBytes: number;
  txBytes: number;
  /** The name may be another interface's by now: nothing is counted until the NICs are known anew. */
  doubt: { readonly nics: Subject['nics']; readonly until: number } | null;
}

/** Counters of the interfaces through which an instance's frames pass on this host, seen from the guest. */
@Injectable()
export class NetworkCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'network',
    tier: 'sweep',
    reads: '`/proc/<pid>/net/dev`, once per network namespace: bytes, packets, errors and drops per interface',
    enabled: true,
  };
  readonly about = NetworkCollector.about;
  readonly metrics = Object.values(METRICS);
  readonly interfaceMetrics = [...Object.values(INTERFACE_METRICS), INTERFACE_OUTCOME];
  private readonly columns;
  private readonly cells;
  private readonly outcome;
  private readonly namespaces: Namespaces;
  private readonly attachments = new Map<number, Attachment[]>();
  private pass = 0;

  constructor(
    private readonly tables: Tables,
    private readonly host: Host,
  ) {
    this.columns = tables.instances.columnsOf(METRICS);
    this.cells = tables.interfaces.columnsOf(INTERFACE_METRICS);
    this.outcome = tables.interfaces.column(INTERFACE_OUTCOME);
    this.namespaces = new Namespaces(host);
  }

  *begin(): Iterable<void> {
    this.pass++;
    yield* this.namespaces.pass();
  }

  attach(subject: Subject): void {
    this.devices(subject);
  }

  devices(subject: Subject): void {
    this.detach(subject);
    if (!subject.process || !subject.nics) return;
    this.attachments.set(
      subject.row,
      subject.nics.map((nic, place) => this.attachNic(subject, nic, place)),
    );
  }

  detach({ row }: Subject): void {
    for (const attachment of this.attachments.get(row) ?? []) {
      if (attachment.namespace) this.namespaces.release(attachment.namespace, attachment);
      this.tables.interfaces.remove(attachment.row);
    }
    this.attachments.delete(row);
  }

  collect(subject: Subject): Outcome {
    if (!subject.process) return Outcome.gone;
    const attachments = this.attachments.get(subject.row);
    if (!attachments) return whyUnknown(subject.process);
    if (attachments.length === 0) return Outcome.notConfigured;
    let outcome: Outcome = Outcome.ok;
    let rx = 0;
    let tx = 0;
    for (const attachment of attachments) {
      const own = this.outcomeOf(attachment, subject);
      if (own !== Outcome.ok) outcome = own;
      rx += this.cells.rxBytes.back[attachment.row];
      tx += this.cells.txBytes.back[attachment.row];
    }
    this.columns.rx.back[subject.row] = rx;
    this.columns.tx.back[subject.row] = tx;
    return outcome;
  }

  private outcomeOf(attachment: Attachment, subject: Subject): Outcome {
    let outcome: Outcome = Outcome.ok;
    if (attachment.kind !== 'tap' && attachment.kind !== 'macvtap') outcome = Outcome.unsupported;
    else if (attachment.pass !== this.pass) outcome = this.whyUnseen(attachment);
    this.outcome.back[attachment.row] = outcome;
    if (outcome === Outcome.ok) return outcome;
    for (const column of Object.values(this.cells)) column.back[attachment.row] = Number.NaN;
    // Busy: our own descriptors were used up when the table should have been opened.
    if (outcome === Outcome.gone || outcome === Outcome.busy) subject.devicesChanged();
    return outcome;
  }

  private whyUnseen({ namespace, unopened, malformedPass }: Attachment): Outcome {
    if (malformedPass === this.pass) return Outcome.malformed;
    if (namespace === null && unopened !== Outcome.ok) return unopened;
    return namespace === null || namespace.outcome === Outcome.ok ? Outcome.gone : namespace.outcome;
  }

  private attachNic(subject: Subject, nic: Nic, place: number): Attachment {
    const name = nic.name ?? '';
    const row = this.tables.interfaces.add({ parent: subject, place, name });
    const counted = nic.name !== undefined && (nic.kind === 'tap' || nic.kind === 'macvtap');
    const namespace = counted && subject.process ? this.namespaces.find(subject.process, name) : null;
    const { rxBytes, rxPackets, rxErrors, rxDrops, txBytes, txPackets, txErrors, txDrops } = this.cells;
    const attachment: Attachment = {
      row,
      namespace,
      unopened: counted && namespace === null && subject.process ? whyUnopened(subject.process) : Outcome.ok,
      owner: subject,
      name,
      kind: nic.kind,
      pass: Number.NaN,
      malformedPass: Number.NaN,
      rxBytes: 0,
      txBytes: 0,
      doubt: null,
      rivalled: () => this.doubt(attachment, subject),
      malformed: () => {
        attachment.malformedPass = this.pass;
      },
      take: (guest: GuestCounters) => {
        if (this.isDoubtful(attachment, subject, guest)) return;
        attachment.pass = this.pass;
        rxBytes.back[row] = guest[Side.rxBytes];
        rxPackets.back[row] = guest[Side.rxPackets];
        rxErrors.back[row] = guest[Side.rxErrors];
        rxDrops.back[row] = guest[Side.rxDrops];
        txBytes.back[row] = guest[Side.txBytes];
        txPackets.back[row] = guest[Side.txPackets];
        txErrors.back[row] = guest[Side.txErrors];
        txDrops.back[row] = guest[Side.txDrops];
      },
    };
    namespace?.watch(attachment);
    return attachment;
  }

  private doubt(attachment: Attachment, { nics }: Subject): void {
    attachment.doubt = { nics, until: this.host.clock.monotonic() + DOUBT_MS };
  }

  /** A table tells interfaces by name only. Counters that went back are those of a new one with the old name. */
  private isDoubtful(attachment: Attachment, subject: Subject, guest: GuestCounters): boolean {
    const rxBytes = guest[Side.rxBytes];
    const txBytes = guest[Side.txBytes];
    if (rxBytes < attachment.rxBytes || txBytes < attachment.txBytes) this.doubt(attachment, subject);
    attachment.rxBytes = rxBytes;
    attachment.txBytes = txBytes;
    const { doubt } = attachment;
    if (doubt && (subject.nics !== doubt.nics || this.host.clock.monotonic() > doubt.until)) attachment.doubt = null;
    return attachment.doubt !== null;
  }
}

/** Nobody knows the instance's NICs: because we may not look at its descriptors, or because they tell nothing. */
function whyUnknown(process: HeldProcess): Outcome {
  try {
    process.descriptorCount();
    return Outcome.unsupported;
  } catch (error) {
    return outcomeOfErrno(error);
  }
}

function whyUnopened(process: HeldProcess): Outcome {
  try {
    process.open('net/dev').close();
    return Outcome.ok;
  } catch (error) {
    return outcomeOfErrno(error);
  }
}
