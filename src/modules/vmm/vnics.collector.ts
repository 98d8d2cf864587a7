import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, type Metric, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { isTold, type Vnic, type VnicNumber } from './answer.js';
import { VmmAsker } from './asker.js';
import { droppedParts, PartRows } from './part-rows.js';
import { hasAnswered, TopicCells, topic } from './topics.js';

const METRICS = { dropped: droppedParts('vnics', 'vmm.dropped.devices') };
const identity = 'vnic';

const bytes = (word: string, help: string): Metric =>
  metric({
    json: `${word}_bytes`,
    family: counter({ name: `vmgauge_vm_vmm_network_${word}_bytes_total`, help, unit: 'bytes', identity }),
  });
const count = (word: string, help: string): Metric =>
  metric({ json: word, family: counter({ name: `vmgauge_vm_vmm_network_${word}_total`, help, identity }) });

const OTHER = 'Another quantity than the tap’s: Firecracker adds 12 bytes a frame and what its metadata service sent.';

const NUMBERS: Readonly<Record<VnicNumber, Metric>> = {
  receivedBytes: bytes('received', `Bytes the VM received, by the VMM’s count. ${OTHER}`),
  receivedFrames: count('received_frames', 'Frames the VM received, by the VMM’s count.'),
  receiveFailures: count('receive_failures', 'Frames the VMM could not hand to the VM.'),
  receiveThrottled: count('receive_throttled', 'Times the VMM’s own limit held a frame to the VM back.'),
  receiveNoBuffer: count('receive_no_buffer', 'Times the VM had no buffer ready for a frame.'),
  transmittedBytes: bytes('transmitted', `Bytes the VM transmitted, by the VMM’s count. ${OTHER}`),
  transmittedFrames: count('transmitted_frames', 'Frames the VM transmitted, by the VMM’s count.'),
  transmitFailures: count('transmit_failures', 'Frames of the VM that the VMM could not send.'),
  transmitThrottled: count('transmit_throttled', 'Times the VMM’s own limit held a frame of the VM back.'),
  malformedFrames: count('malformed_frames', 'Frames of the VM that the VMM did not understand.'),
  spoofedMacFrames: count('spoofed_mac_frames', 'Frames of the VM with a sender’s address that is not its own.'),
};

/** Network devices as the VMM counts them, beside the tap's counters and never added to them. QEMU counts none. */
@Injectable()
export class VnicsCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'vnics',
    tier: 'sweep',
    reads: 'what the VMM answered `vmm`: bytes, frames, failures and limits of each network device',
    enabled: true,
  };
  readonly about = VnicsCollector.about;
  readonly metrics = Object.values(METRICS);
  readonly partMetrics;
  private readonly columns;
  private readonly cells;
  private readonly rows;
  /** Answers that are in the tables already. */
  private readonly shown = new WeakMap<Subject, readonly Vnic[]>();

  constructor(
    tables: Tables,
    _host: Host,
    @Optional() private readonly asker?: VmmAsker,
  ) {
    this.columns = tables.instances.columnsOf(METRICS);
    this.cells = new TopicCells(tables.vnics, NUMBERS);
    this.rows = new PartRows(tables.vnics, this.cells.columns);
    this.partMetrics = { vnics: this.cells.metrics };
  }

  concerns(subject: Subject): boolean {
    return hasAnswered(this.asker, subject);
  }

  collect(subject: Subject): Outcome {
    const vnics = topic(this.asker, subject, ({ vnics }) => vnics);
    if (!isTold(vnics)) return vnics;
    if (this.shown.get(subject) === vnics) return Outcome.ok;
    this.shown.set(subject, vnics);
    const put = (row: number, { numbers }: Vnic): void => void this.cells.put(row, numbers);
    this.columns.dropped.back[subject.row] = this.rows.update(subject, vnics, ({ device }) => device, put);
    return Outcome.ok;
  }

  clear(subject: Subject): void {
    this.shown.delete(subject);
    this.rows.clear(subject);
  }

  detach(subject: Subject): void {
    this.clear(subject);
  }
}
