import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, gauge, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { isCounted } from './direction.js';
import type { Attachment } from './interface-attachment.js';
import { type InterfaceFacts, isInterfaceName, OPERSTATES, readFacts } from './interface-facts.js';
import { factsOf, type InterfacesByRow, interfacesOf } from './interface-registry.js';
import { whyUnknown } from './unknown-nics.js';

const identity = 'interface';

const FACTS = {
  mtuBytes: metric({
    json: 'mtu_bytes',
    family: gauge({ name: 'vmgauge_vm_network_mtu_bytes', help: 'MTU of the interface on the host.', unit: 'bytes', identity }),
  }),
  speedBytesPerSecond: metric({
    json: 'speed_bytes_per_second',
    family: gauge({
      name: 'vmgauge_vm_network_speed_bytes_per_second',
      help: 'Link speed of the interface on the host while it has a carrier. Nominal: that of a tap or veth is a constant of its driver.',
      identity,
    }),
  }),
  carrier: metric({
    json: 'carrier',
    description: '1 while something is at the other end of the interface, 0 while nothing is; null of one that is switched off.',
    family: gauge({
      name: 'vmgauge_vm_network_carrier',
      help: '1 while something is at the other end of the interface (of a tap: a VMM), else 0. None of one that is switched off.',
      identity,
    }),
  }),
  carrierChanges: metric({
    json: 'carrier_changes',
    family: counter({
      name: 'vmgauge_vm_network_carrier_changes_total',
      help: 'Times the carrier came or went, since the device was made.',
      identity,
    }),
  }),
  queues: metric({ json: 'queues', description: 'Receive queues of the interface on the host; several of them are still one interface.' }),
  operstate: metric({
    json: 'operstate',
    description: 'State of the interface on the host in the kernel’s words (RFC 2863). A tap is `unknown` while it works.',
    words: { label: 'state', list: OPERSTATES },
  }),
};

/** What sysfs knows of the interfaces of an instance besides their counters. Rows of the same table as those. */
@Injectable()
export class InterfacesCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'interfaces',
    tier: 'slow',
    reads:
      '`/sys/class/net/<interface>/`, for interfaces in the host’s network namespace that `network` found: MTU, speed, carrier, MAC, bridge',
    enabled: true,
  };
  readonly about = InterfacesCollector.about;
  readonly metrics = [];
  readonly interfaceMetrics = Object.values(FACTS);
  private readonly cells;
  private readonly interfaces: InterfacesByRow;

  constructor(
    tables: Tables,
    private readonly host: Host,
  ) {
    this.cells = tables.interfaces.columnsOf(FACTS);
    this.interfaces = interfacesOf(tables);
    factsOf(tables).push(...Object.values(this.cells));
  }

  /** Known at once: rows that are new hold nothing, and the next turn may be a minute away. */
  devices(subject: Subject): void {
    if (subject.process) this.collect(subject);
  }

  collect(subject: Subject): Outcome {
    if (!subject.process) return Outcome.gone;
    const interfaces = this.interfaces.get(subject.row);
    // Without `network` nobody found them.
    if (!interfaces) return subject.nics ? Outcome.notConfigured : whyUnknown(subject.process);
    if (interfaces.length === 0) return Outcome.notConfigured;
    let outcome: Outcome = Outcome.ok;
    for (const one of interfaces) {
      const facts = this.factsOf(one);
      if (typeof facts === 'number') outcome = facts;
      this.put(one, typeof facts === 'number' ? undefined : facts);
    }
    return outcome;
  }

  private factsOf({ kind, name, namespace, index }: Attachment): InterfaceFacts | Outcome {
    if (!isCounted(kind) || namespace?.isHosts === false) return Outcome.unsupported;
    if (namespace === null || !isInterfaceName(name)) return Outcome.gone;
    try {
      const facts = readFacts(this.host, name);
      // In a container of its own the agent may see another namespace's devices here.
      const isAnother = !Number.isNaN(index) && facts.index !== index;
      return isAnother ? Outcome.unsupported : facts;
    } catch (error) {
      return outcomeOfErrno(error);
    }
  }

  private put({ row, key }: Attachment, facts: InterfaceFacts | undefined): void {
    for (const word of WORDS) this.cells[word].back[row] = facts?.[word] ?? Number.NaN;
    const { hostMac, bridge } = facts ?? {};
    if (key.words?.hostMac !== hostMac || key.words?.bridge !== bridge)
      key.words = { ...(hostMac === undefined ? {} : { hostMac }), ...(bridge === undefined ? {} : { bridge }) };
  }
}

// Object.keys forgets that they are those of the declaration.
const WORDS = Object.keys(FACTS) as readonly (keyof typeof FACTS)[];
