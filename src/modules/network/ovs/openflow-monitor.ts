import { statsPart } from './openflow-answers.js';
import { OpenFlowConnection, type OpenFlowLimits } from './openflow-connection.js';
import type { Frame } from './openflow-frames.js';
import { STATS_TYPES, statsReplyType, VENDOR } from './openflow-messages.js';
import { flowUpdates, isPause } from './openflow-updates.js';

const VERSION = 1;

/**
 * Changes of a bridge's flows, whoever made them, expiry and learning too. They only grow, and outlive a connection. A flow that is added in
 * place of an equal one counts as added.
 */
export class FlowTally {
  added = 0;
  deleted = 0;
  modified = 0;
  /** Times that changes went unheard: a pause, a summary, the time between two connections. From the first on all else is a lower bound. */
  missed = 0;
  private isBegun = false;

  /** A monitor hears for it from now on. */
  begin(): void {
    if (this.isBegun) this.missed++;
    this.isBegun = true;
  }
}

/**
 * Hears of each change of a flow, by an extension of Open vSwitch (`NXST_FLOW_MONITOR`) in OpenFlow 1.0. The switch writes some 80 bytes a
 * change for it, so it has a connection of its own and is not for everybody.
 */
export class FlowMonitor {
  private constructor(private readonly connection: OpenFlowConnection) {}

  /**
   * @param tally of this bridge, the same for each connection
   * @throws as OpenFlowConnection.connect and ask; EOPNOTSUPP for a switch without the extension
   */
  static async open(path: string, tally: FlowTally, limits: OpenFlowLimits): Promise<FlowMonitor> {
    const connection = await OpenFlowConnection.connect(path, [VERSION], limits, (frame) => hear(tally, frame));
    try {
      await connection.ask('flowMonitor', limits.deadlineMs, (body) => count(tally, body));
    } catch (error) {
      connection.close();
      throw error;
    }
    tally.begin();
    return new FlowMonitor(connection);
  }

  get isOpen(): boolean {
    return this.connection.isOpen;
  }

  /** Whether the switch still answers. What changed before it is in the tally when it resolves, and the limit of bytes begins anew. */
  check(deadlineMs: number): Promise<void> {
    return this.connection.check(deadlineMs);
  }

  close(): void {
    this.connection.close();
  }
}

function hear(tally: FlowTally, frame: Frame): void {
  if (frame.type === VENDOR && isPause(frame)) tally.missed++;
  if (frame.type !== statsReplyType(VERSION)) return;
  const part = statsPart(frame, VERSION);
  if (part.type === STATS_TYPES.flowMonitor) count(tally, part.body);
}

function count(tally: FlowTally, body: Buffer): void {
  const { added, deleted, modified, abbreviated } = flowUpdates(body);
  tally.added += added;
  tally.deleted += deleted;
  tally.modified += modified;
  tally.missed += abbreviated;
}
