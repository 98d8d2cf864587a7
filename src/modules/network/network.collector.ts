import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, type Family, gauge, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import type { Column } from '../../model/table.js';
import { Tables } from '../../model/tables.js';
import { Side } from './direction.js';
import type { Attachment } from './interface-attachment.js';
import { InterfaceClaims } from './interface-claims.js';
import { InterfaceLedgers } from './interface-ledgers.js';
import { factsOf, type InterfacesByRow, interfacesOf } from './interface-registry.js';
import { Namespaces } from './namespaces.js';
import { whyUnknown } from './unknown-nics.js';

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
  rxMulticast: interfaceCounter(
    'rx_multicast',
    'vmgauge_vm_network_receive_multicast_total',
    'Multicast and broadcast frames the VM received. Only of a macvtap: the kernel counts none on a tap or veth.',
  ),
};
const GENERATION = metric({
  json: 'generation',
  family: gauge({
    name: 'vmgauge_vm_network_interface_generation',
    help: 'Devices that the interface was so far, this one included: it moves when the device is made anew or changed hands. Its counters go on.',
    identity: 'interface',
  }),
});
/** Says per interface why there are no counters; part of the document, no family. */
const INTERFACE_OUTCOME = metric({ json: 'outcome', description: 'ok, or why this interface has no counters.' });

/** Counters of the interfaces through which an instance's frames pass on this host, seen from the guest. They never go back. */
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
  readonly interfaceMetrics = [...Object.values(INTERFACE_METRICS), GENERATION, INTERFACE_OUTCOME];
  private readonly columns;
  private readonly cells: readonly (readonly [column: Column, slot: number])[];
  private readonly generation: Column;
  private readonly outcome: Column;
  private readonly namespaces: Namespaces;
  private readonly claims: InterfaceClaims;
  private readonly interfaces: InterfacesByRow;
  private readonly ledgers = new Map<number, InterfaceLedgers>();
  private pass = 0;

  constructor(
    private readonly tables: Tables,
    host: Host,
  ) {
    this.columns = tables.instances.columnsOf(METRICS);
    const { interfaces } = tables;
    const columns = interfaces.columnsOf(INTERFACE_METRICS);
    // A metric's word is that of its slot.
    this.cells = Object.entries(columns).map(([word, column]) => [column, Side[word as keyof typeof INTERFACE_METRICS]]);
    this.generation = interfaces.column(GENERATION);
    this.outcome = interfaces.column(INTERFACE_OUTCOME);
    this.interfaces = interfacesOf(tables);
    this.namespaces = new Namespaces(host);
    this.claims = new InterfaceClaims(tables, this.namespaces, () => this.pass);
  }

  *begin(): Iterable<void> {
    this.pass++;
    yield* this.namespaces.pass();
  }

  attach(subject: Subject): void {
    this.ledgers.set(subject.row, new InterfaceLedgers());
    this.devices(subject);
  }

  devices(subject: Subject): void {
    const { process, nics, row } = subject;
    const ledgers = this.ledgers.get(row);
    if (!process || !nics || !ledgers) {
      this.forget(row);
      return;
    }
    const before = this.interfaces.get(row) ?? [];
    const after = this.claims.renew(subject, process, ledgers, before);
    this.interfaces.set(row, after);
    const kept = new Set(after.map((attachment) => attachment.row));
    for (const attachment of before) if (!kept.has(attachment.row)) this.tables.interfaces.remove(attachment.row);
  }

  detach({ row }: Subject): void {
    this.forget(row);
    this.ledgers.delete(row);
  }

  collect(subject: Subject): Outcome {
    if (!subject.process) return Outcome.gone;
    const attachments = this.interfaces.get(subject.row);
    const ledgers = this.ledgers.get(subject.row);
    if (!attachments || !ledgers) return whyUnknown(subject.process);
    if (attachments.length === 0 && ledgers.isEmpty) return Outcome.notConfigured;
    let outcome: Outcome = Outcome.ok;
    let rx = ledgers.leftRxBytes;
    let tx = ledgers.leftTxBytes;
    for (const attachment of attachments) {
      const own = this.count(attachment, subject);
      if (own !== Outcome.ok) outcome = own;
      const { totals } = attachment.ledger;
      rx += totals[Side.rxBytes];
      tx += totals[Side.txBytes];
    }
    this.columns.rx.back[subject.row] = rx;
    this.columns.tx.back[subject.row] = tx;
    return outcome;
  }

  /** Fills or empties the cells of one interface. */
  private count(attachment: Attachment, subject: Subject): Outcome {
    const { row, ledger } = attachment;
    const outcome = attachment.settle();
    const isOk = outcome === Outcome.ok;
    for (let i = 0; i < this.cells.length; i++) {
      const [column, slot] = this.cells[i];
      column.back[row] = isOk ? ledger.totals[slot] : Number.NaN;
    }
    this.generation.back[row] = isOk ? ledger.generation : Number.NaN;
    this.outcome.back[row] = outcome;
    // Busy: our own descriptors were used up when the table should have been opened.
    if (outcome === Outcome.gone || outcome === Outcome.busy) subject.devicesChanged();
    if (outcome === Outcome.gone) this.forgetFacts(attachment);
    return outcome;
  }

  private forgetFacts({ row, key }: Attachment): void {
    for (const { back } of factsOf(this.tables)) back[row] = Number.NaN;
    if (key.words) delete key.words;
  }

  private forget(instance: number): void {
    const attachments = this.interfaces.get(instance) ?? [];
    this.claims.release(attachments);
    for (const { row } of attachments) this.tables.interfaces.remove(row);
    this.interfaces.delete(instance);
  }
}
