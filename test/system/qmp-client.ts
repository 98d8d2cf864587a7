import { createConnection, type Socket } from 'node:net';
import { eventually, Hopeless } from './eventually.js';

interface Reply {
  readonly return?: unknown;
  readonly error?: unknown;
}

/** The test's own client of a monitor: an owner as others have, or the hand that does things to a VM. */
export class QmpClient {
  /** Names of what QEMU said unasked, in the order it came. */
  readonly events: string[] = [];
  private readonly replies = new Map<number, (reply: Reply) => void>();
  private rest = '';
  private asked = 0;
  private isGreeted = false;
  private isClosed = false;

  private constructor(private readonly socket: Socket) {
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.take(text));
    // What comes of it is seen by `closed` and by commands that are not answered.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /** Connected, greeted and through the negotiation. @throws when the monitor does not greet */
  static async connect(path: string): Promise<QmpClient> {
    const client = QmpClient.dial(path);
    await client.greeted();
    await client.execute('qmp_capabilities');
    return client;
  }

  /** Connects only: one of two clients of a monitor is not greeted as long as the other stays. */
  static dial(path: string): QmpClient {
    return new QmpClient(createConnection(path));
  }

  get closed(): boolean {
    return this.isClosed;
  }

  get hasGreeting(): boolean {
    return this.isGreeted;
  }

  async greeted(): Promise<void> {
    await eventually('the greeting of a monitor', () => {
      if (this.isClosed) throw new Hopeless('the monitor hung up');
      return this.isGreeted;
    });
  }

  /** @returns member `return` of the reply. @throws what QEMU says against it */
  async execute<T = unknown>(command: string, given: Readonly<Record<string, unknown>> = {}): Promise<T> {
    const id = ++this.asked;
    let reply: Reply | undefined;
    this.replies.set(id, (one) => {
      reply = one;
    });
    this.socket.write(`${JSON.stringify({ execute: command, arguments: given, id })}\n`);
    const { return: value, error } = await eventually(`the answer to ${command}`, () => {
      if (this.isClosed) throw new Hopeless('the monitor hung up');
      return reply;
    });
    if (error) throw new Error(`${command}: ${JSON.stringify(error)}`);
    // The shape is QEMU's promise; what the tests read of it they compare.
    return value as T;
  }

  async status(): Promise<string> {
    return (await this.execute<{ status: string }>('query-status')).status;
  }

  close(): void {
    this.socket.destroy();
  }

  private take(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) {
      // QEMU's own lines: one JSON object each, docs/interop/qmp-spec.txt.
      const message = JSON.parse(line) as Reply & { QMP?: unknown; event?: string; id?: number };
      if (message.QMP) this.isGreeted = true;
      else if (message.event !== undefined) this.events.push(message.event);
      else this.replies.get(Number(message.id))?.(message);
    }
  }
}
