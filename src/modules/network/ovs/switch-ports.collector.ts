import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../../model/collector.js';
import { counter, gauge, type Metric, metric } from '../../../model/metric.js';
import { Outcome } from '../../../model/outcome.js';
import { MAX_PARTS, PartRows } from '../../../model/part-rows.js';
import type { Column } from '../../../model/table.js';
import { type PartWords, Tables } from '../../../model/tables.js';
import { type BridgeReading, portOf } from './bridge-reading.js';
import { externalId } from './join.js';
import { OvsObserver } from './observer.js';
import { PortLedgers } from './port-ledger.js';
import type { OwnPort } from './port-owners.js';
import type { PortCounters } from './switch-counters.js';

const identity = 'switch_port';
const VIEW = 'By the count of its virtual switch.';

const bytes = (json: string, name: string, help: string): Metric =>
  metric({ json, family: counter({ name, help: `${help} ${VIEW}`, unit: 'bytes', identity }) });
const count = (json: string, name: string, help: string): Metric =>
  metric({ json, family: counter({ name, help: `${help} ${VIEW}`, identity }) });

/** In the order of `turned`. */
const COUNTERS = {
  rxBytes: bytes('rx_bytes', 'vmgauge_vm_switch_port_receive_bytes_total', 'Bytes the VM received on the port.'),
  txBytes: bytes('tx_bytes', 'vmgauge_vm_switch_port_transmit_bytes_total', 'Bytes the VM transmitted on the port.'),
  rxPackets: count('rx_packets', 'vmgauge_vm_switch_port_receive_packets_total', 'Packets the VM received on the port.'),
  txPackets: count('tx_packets', 'vmgauge_vm_switch_port_transmit_packets_total', 'Packets the VM transmitted on the port.'),
  rxErrors: count('rx_errors', 'vmgauge_vm_switch_port_receive_errors_total', 'Errors of packets on their way into the VM.'),
  txErrors: count('tx_errors', 'vmgauge_vm_switch_port_transmit_errors_total', 'Errors of packets on their way out of the VM.'),
  rxDrops: count('rx_drops', 'vmgauge_vm_switch_port_receive_drops_total', 'Packets that the switch could not hand to the VM.'),
  txDrops: count('tx_drops', 'vmgauge_vm_switch_port_transmit_drops_total', 'Packets of the VM that the switch did not take.'),
};
const STATE = {
  link: metric({
    json: 'link',
    family: gauge({
      name: 'vmgauge_vm_switch_port_up',
      help: '1 while the switch sees a carrier on the port, 0 while it does not.',
      identity,
    }),
  }),
  age: metric({ json: 'age_seconds', description: 'How long ago the switch told the counters.', decimals: 3 }),
};

/** Where the direction of a switch's counters turns: what the switch receives through the port is what the VM behind it transmitted. */
const turned = (port: PortCounters): readonly (number | null)[] => [
  ...[port.txBytes, port.rxBytes, port.txPackets, port.rxPackets],
  ...[port.txErrors, port.rxErrors, port.txDrops, port.rxDrops],
];
const SLOTS = Object.keys(COUNTERS).length;
/** The first of them: bytes and packets. */
const GROWING = 4;
/** Of one instance: of all ports that it may have, and of as many that it had. */
const MAX_LEDGERS = 2 * MAX_PARTS;

/** What was put into the rows of an instance last time. */
interface Shown {
  readonly ports: readonly OwnPort[];
  readonly readings: readonly (BridgeReading | null)[];
  /** With the reading they are of. */
  readonly rows: readonly { readonly row: number; readonly reading: BridgeReading }[];
}

/** What virtual switches know of the ports of an instance: who they are, and their counters from the guest's side. */
@Injectable()
export class SwitchPortsCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'switch_ports',
    tier: 'sweep',
    reads: 'what Open vSwitch told the collector `ovs` of the ports of the instance; nothing by itself',
    enabled: true,
  };
  readonly about = SwitchPortsCollector.about;
  readonly metrics: readonly Metric[] = [];
  readonly partMetrics = { switchPorts: [...Object.values(COUNTERS), ...Object.values(STATE)] };
  private readonly counters: readonly Column[];
  private readonly state;
  private readonly rows: PartRows;
  private readonly shown = new Map<Subject, Shown>();
  private readonly ledgers = new Map<Subject, PortLedgers>();

  constructor(
    private readonly tables: Tables,
    private readonly host: Host,
    @Optional() private readonly observer?: OvsObserver,
  ) {
    this.counters = Object.values(tables.switchPorts.columnsOf(COUNTERS));
    this.state = tables.switchPorts.columnsOf(STATE);
    this.rows = new PartRows(tables.switchPorts, [...this.counters, ...Object.values(this.state)]);
  }

  begin(): Iterable<void> {
    return this.observer?.update() ?? [];
  }

  attach(subject: Subject): void {
    this.observer?.owners.attach(subject);
  }

  devices(subject: Subject): void {
    this.observer?.owners.attach(subject);
  }

  /** Also an instance whose ports nobody can tell any more. */
  concerns(subject: Subject): boolean {
    return this.ports(subject).length > 0 || this.whyLost(subject) !== null;
  }

  /** Who the ports are stays known while a switch does not answer; its outcome then says why there are no counters. */
  collect(subject: Subject): Outcome {
    if (!subject.process) return Outcome.gone;
    const ports = this.ports(subject);
    if (ports.length === 0) return this.whyLost(subject) ?? Outcome.notConfigured;
    const now = this.host.clock.monotonic();
    const readings = ports.map(({ watch }) => watch.reading);
    const known = this.shown.get(subject);
    const isSame = known?.ports === ports && readings.every((reading, i) => reading === known.readings[i]);
    const shown = isSame ? known : this.show(subject, ports, readings);
    for (const { row, reading } of shown.rows) this.state.age.back[row] = Math.max(0, Math.round(now - reading.at));
    const silent = ports.find((_, i) => readings[i] === null);
    return silent ? whySilent(silent) : Outcome.ok;
  }

  /** Rows of ports that are still the instance's stay: the last outcome was about their counters. */
  clear(subject: Subject): void {
    if (subject.process && this.ports(subject).length > 0) return;
    this.shown.delete(subject);
    this.rows.clear(subject);
  }

  detach(subject: Subject): void {
    this.observer?.owners.detach(subject);
    this.observer?.droppedOf(subject, 0);
    this.shown.delete(subject);
    this.ledgers.delete(subject);
    this.rows.clear(subject);
  }

  /** Of an instance that had ports, while a switch does not tell whose its ports are; else null. */
  private whyLost(subject: Subject): Outcome | null {
    return this.ledgers.has(subject) ? (this.observer?.silence ?? null) : null;
  }

  private ports(subject: Subject): readonly OwnPort[] {
    return this.observer?.owners.of(subject) ?? [];
  }

  private show(subject: Subject, ports: readonly OwnPort[], readings: Shown['readings']): Shown {
    const rows: { row: number; reading: BridgeReading }[] = [];
    const dropped = this.rows.update(
      subject,
      ports,
      ({ place }) => place.iface.name,
      (row, port) => {
        const reading = this.put(subject, row, port);
        if (reading) rows.push({ row, reading });
      },
    );
    this.observer?.droppedOf(subject, dropped);
    const shown = { ports, readings, rows };
    this.shown.set(subject, shown);
    return shown;
  }

  /** @returns what the cells were made of */
  private put(subject: Subject, row: number, { place, watch, evidence }: OwnPort): BridgeReading | null {
    const key = this.tables.switchPorts.key(row);
    const words = wordsOf(place, evidence === 'device');
    if (key && JSON.stringify(key.words) !== JSON.stringify(words)) key.words = words;
    const { reading } = watch;
    const port = reading && portOf(reading, place.iface);
    if (!port) return null;
    const { linkState } = place.iface;
    this.state.link.back[row] = linkState === null ? Number.NaN : Number(linkState === 'up');
    const ledger = this.ledgersOf(subject).of(`${place.bridge.name}/${place.iface.name}`);
    // A device of the kernel counts for itself, whatever number the switch gives it.
    const own = port.ifIndex === null ? `port ${port.ofPort}` : `device ${port.ifIndex}`;
    const now = turned(port.counters).map((value) => value ?? Number.NaN);
    for (const [slot, value] of ledger.take(own, now).entries()) this.counters[slot].back[row] = value;
    return reading;
  }

  private ledgersOf(subject: Subject): PortLedgers {
    const ledgers = this.ledgers.get(subject) ?? new PortLedgers(SLOTS, GROWING, MAX_LEDGERS);
    this.ledgers.set(subject, ledgers);
    return ledgers;
  }
}

/** A bridge that answered has a reading until it is too old; then it has not been asked for long. */
const whySilent = ({ watch: { outcome } }: OwnPort): Outcome => (outcome === Outcome.ok ? Outcome.gone : outcome);

function wordsOf(place: OwnPort['place'], isDevice: boolean): PartWords {
  const { bridge, port, iface } = place;
  const [namespace, pod] = [externalId(place, 'pod-namespace'), externalId(place, 'pod-name')];
  const ifaceId = externalId(place, 'iface-id') ?? (pod === undefined ? undefined : namespace === undefined ? pod : `${namespace}/${pod}`);
  return {
    bridge: bridge.name,
    ...(isDevice ? { interface: iface.name } : {}),
    ...(iface.ofPort === null ? {} : { ofPort: iface.ofPort }),
    ...(port.tag === null ? {} : { vlan: port.tag }),
    ...(ifaceId === undefined ? {} : { ifaceId }),
  };
}
