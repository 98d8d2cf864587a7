import { counter, type Metric, metric } from '../../model/metric.js';
import type { VnicNumber } from './answer.js';
import { partsOf } from './parts-topic.js';

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
export class VnicsCollector extends partsOf({
  about: {
    name: 'vnics',
    tier: 'sweep',
    reads: 'what the VMM answered `vmm`: bytes, frames, failures and limits of each network device',
    enabled: true,
  },
  part: 'vnics',
  metrics: NUMBERS,
  droppedAt: 'vmm.dropped.devices',
  of: ({ vnics }) => vnics,
}) {}
