import { sizedRecords } from './openflow-fields.js';
import { type Frame, malformed } from './openflow-frames.js';
import { FLOW_MONITOR, NICIRA } from './openflow-messages.js';

/** What changed in flow tables, `enum nx_flow_update_event` (nicira-ext.h). */
export interface FlowUpdates {
  added: number;
  deleted: number;
  modified: number;
  /** Changes of unknown number that are not told one by one. */
  abbreviated: number;
}

const EVENTS: readonly (keyof FlowUpdates)[] = ['added', 'deleted', 'modified', 'abbreviated'];

/** The part of an answer to our question for a flow monitor, or of what comes after it with xid 0. @throws HostError EBADMSG */
export function flowUpdates(body: Buffer): FlowUpdates {
  if (body.length < 12 || body.readUInt32BE(0) !== NICIRA || body.readUInt32BE(4) !== FLOW_MONITOR) throw malformed('no flow monitor');
  const updates = { added: 0, deleted: 0, modified: 0, abbreviated: 0 };
  // nx_flow_update_header: length, event; a flow and its match follow, which nobody here wants to know.
  for (const record of sizedRecords(body.subarray(12), 0, 8)) {
    const event = EVENTS[record.readUInt16BE(2)];
    if (event) updates[event]++;
  }
  return updates;
}

/** `NXT_FLOW_MONITOR_PAUSED`: changes come too fast for whoever reads them, and some are not told. @throws HostError EBADMSG */
export function isPause({ body }: Frame): boolean {
  if (body.length < 8) throw malformed('a vendor without a name');
  return body.readUInt32BE(0) === NICIRA && body.readUInt32BE(4) === 22;
}
