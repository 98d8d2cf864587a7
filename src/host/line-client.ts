import { connect, type Socket } from 'node:net';
import { HostError } from './host-error.js';
import { LineSplitter } from './line-splitter.js';

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
  private readonly splitter: LineSplitter;
  private budget: number;
  private isClosed = false;

  private constructor(
    private readonly socket: Socket,
    private readonly limits: LineLimits,
    private readonly listener: LineListener,
  ) {
    this.budget = limits.budgetBytes;
    this.splitter = new LineSplitter(limits.lineBytes);
    socket.on('data', (bytes) => this.take(bytes));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new HostError('ECONNRESET', 'closed by the other side')));
  }

  /** @throws the system's errors: ENOENT, ECONNREFUSED, EACCES; EAGAIN where nobody accepts and the queue is full; ETIMEDOUT */
  static connect(path: string, deadlineMs: number, limits: LineLimits, listener: LineListener): Promise<LineClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      const timer = setTimeout(() => {
        socket.destroy();
        reject(new HostError('ETIMEDOUT', `not connected within ${deadlineMs} ms`));
      }, deadlineMs);
      socket.on('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.unref();
        resolve(new LineClient(socket, limits, listener));
      });
    });
  }

  send(line: string): void {
    if (!this.isClosed) this.socket.write(`${line}\r\n`);
  }

  renew(): void {
    this.budget = this.limits.budgetBytes;
  }

  /** At once; the listener hears nothing any more. May be called twice. */
  close(): void {
    this.isClosed = true;
    this.socket.destroy();
  }

  private take(bytes: Buffer): void {
    this.budget -= bytes.length;
    try {
      if (this.budget < 0) throw new HostError('EFBIG', `more than ${this.limits.budgetBytes} bytes`);
      for (const text of this.splitter.take(bytes)) if (!this.isClosed) this.listener.line(text);
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private fail(error: Error): void {
    if (this.isClosed) return;
    this.close();
    this.listener.ended(error);
  }
}
