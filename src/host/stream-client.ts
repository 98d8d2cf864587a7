import { connect, type Socket } from 'node:net';
import { HostError } from './host-error.js';

export interface StreamLimits {
  /** Of all that may come until the next `renew`. */
  readonly budgetBytes: number;
}

export interface StreamListener {
  /** What came, in pieces of any size. @throws to end the connection: `ended` then hears the error */
  bytes(piece: Buffer): void;
  /**
   * Once, when the other side closed (ECONNRESET), the system gave up the connection, the budget was passed (EFBIG), it does not read
   * (EAGAIN), or `bytes` threw; nothing comes after it, and the connection is closed.
   */
  ended(error: Error): void;
}

/** A connection over a unix socket on which frames of any kind go. It never keeps the process alive. */
export class StreamClient {
  private budget: number;
  private isClosed = false;

  private constructor(
    private readonly socket: Socket,
    private readonly limits: StreamLimits,
    private readonly listener: StreamListener,
  ) {
    this.budget = limits.budgetBytes;
    socket.on('data', (piece) => this.take(piece));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new HostError('ECONNRESET', 'closed by the other side')));
  }

  /** @throws the system's errors: ENOENT, ECONNREFUSED, EACCES; EAGAIN where nobody accepts and the queue is full; ETIMEDOUT */
  static connect(path: string, deadlineMs: number, limits: StreamLimits, listener: StreamListener): Promise<StreamClient> {
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
        resolve(new StreamClient(socket, limits, listener));
      });
    });
  }

  /** For a side that does not read 16 KiB are kept, or one longer message; more ends the connection, with EAGAIN. */
  send(message: Buffer | string): void {
    if (this.isClosed) return;
    if (this.socket.writableNeedDrain) this.fail(new HostError('EAGAIN', 'the other side does not read'));
    else this.socket.write(message);
  }

  renew(): void {
    this.budget = this.limits.budgetBytes;
  }

  /** At once; the listener hears nothing any more. May be called twice. */
  close(): void {
    this.isClosed = true;
    this.socket.destroy();
  }

  private take(piece: Buffer): void {
    this.budget -= piece.length;
    try {
      if (this.budget < 0) throw new HostError('EFBIG', `more than ${this.limits.budgetBytes} bytes`);
      if (!this.isClosed) this.listener.bytes(piece);
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
