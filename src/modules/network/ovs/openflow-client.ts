import { aggregate, meters, ports, tables } from './openflow-answers.js';
import { OpenFlowConnection, type OpenFlowLimits } from './openflow-connection.js';
import type { Question, Version } from './openflow-messages.js';
import type { AggregateCounters, MeterCounters, PortCounters, TableCounters } from './switch-counters.js';

/**
 * What a bridge counts, over a connection that stays. Questions may overlap. Each throws OpenFlowRefusal with EOPNOTSUPP for what the switch or
 * the version has not got, EBADMSG for bytes that are not the protocol, ETIMEDOUT, EFBIG, EAGAIN when the switch does not read, and ECONNRESET
 * and its like when the connection has ended: then it does not come back. After all others it may still be used.
 */
export class OpenFlowClient {
  private constructor(private readonly connection: OpenFlowConnection) {}

  /** @throws as OpenFlowConnection.connect */
  static async connect(path: string, versions: readonly Version[], limits: OpenFlowLimits): Promise<OpenFlowClient> {
    return new OpenFlowClient(await OpenFlowConnection.connect(path, versions, limits));
  }

  get version(): Version {
    return this.connection.version;
  }

  get isOpen(): boolean {
    return this.connection.isOpen;
  }

  /** All 254 or so of them. Names come in 1.0 only: later versions tell them among a megabyte of features. */
  tables(deadlineMs: number): Promise<readonly TableCounters[]> {
    return this.list('tables', deadlineMs, tables, ({ id }) => id);
  }

  ports(deadlineMs: number): Promise<readonly PortCounters[]> {
    return this.list('ports', deadlineMs, ports, ({ number }) => number);
  }

  /** Since 1.3. None and no meters at all are different things: the second is EOPNOTSUPP. */
  meters(deadlineMs: number): Promise<readonly MeterCounters[]> {
    return this.list(
      'meters',
      deadlineMs,
      (_, body) => meters(body),
      ({ id }) => id,
    );
  }

  /** Price: the switch walks all its flows, 26 ms at 100,000. */
  async aggregate(deadlineMs: number): Promise<AggregateCounters> {
    let sum: AggregateCounters = { packets: null, bytes: null, flows: null };
    await this.connection.ask('aggregate', deadlineMs, (body) => {
      sum = aggregate(this.version, body);
    });
    return sum;
  }

  /** Whether the switch still answers. */
  check(deadlineMs: number): Promise<void> {
    return this.connection.check(deadlineMs);
  }

  /** At once; what waits ends with ECONNRESET. May be called twice. */
  close(): void {
    this.connection.close();
  }

  /** What is told twice is there once, as told last. */
  private async list<T>(
    what: Question,
    deadlineMs: number,
    decode: (version: Version, body: Buffer) => readonly T[],
    key: (one: T) => number,
  ): Promise<readonly T[]> {
    const byKey = new Map<number, T>();
    await this.connection.ask(what, deadlineMs, (body) => {
      for (const one of decode(this.version, body)) byKey.set(key(one), one);
    });
    return [...byKey.values()];
  }
}
