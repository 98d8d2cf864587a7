import { LineSplitter } from './line-splitter.js';
import { StreamClient } from './stream-client.js';

export interface LineLimits {
  /** Of one line, its end included. */
  readonly lineBytes: number;
  /** Of all that may come until the next `renew`. */
  readonly budgetBytes: number;
}

export interface LineListener {
  /** A whole line without its end, CR LF or LF alone. */
  line(text: string): void;
  /**
   * Once, when the other side closed (ECONNRESET), the system gave up the connection, or a limit was passed (EFBIG); nothing comes after it,
   * and the connection is closed.
   */
  ended(error: Error): void;
}

/** A connection over a unix socket on which both sides speak in lines. It never keeps the process alive. */
export class LineClient {
  private stream: StreamClient | undefined;
  private isClosed = false;

  private constructor(
    private readonly splitter: LineSplitter,
    private readonly listener: LineListener,
  ) {}

  /** @throws what `StreamClient.connect` throws */
  static async connect(
    path: string,
    deadlineMs: number,
    { lineBytes, budgetBytes }: LineLimits,
    listener: LineListener,
  ): Promise<LineClient> {
    const client = new LineClient(new LineSplitter(lineBytes), listener);
    client.stream = await StreamClient.connect(
      path,
      deadlineMs,
      { budgetBytes },
      { bytes: (piece) => client.take(piece), ended: listener.ended },
    );
    return client;
  }

  send(line: string): void {
    this.stream?.send(`${line}\r\n`);
  }

  renew(): void {
    this.stream?.renew();
  }

  /** At once; the listener hears nothing any more. May be called twice. */
  close(): void {
    this.isClosed = true;
    this.stream?.close();
  }

  private take(piece: Buffer): void {
    for (const text of this.splitter.take(piece)) if (!this.isClosed) this.listener.line(text);
  }
}
