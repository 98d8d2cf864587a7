import { connect, type Socket } from 'node:net';
import { until } from './until.js';

/** A TCP connection on which bytes are sent as the test wants them. */
export class RawConnection {
  received = '';
  closed = false;
  private readonly socket: Socket;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text) => (this.received += String(text)));
    // A reset is how some refusals end.
    socket.on('error', () => undefined);
    socket.on('close', () => (this.closed = true));
  }

  static open(port: number): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(new RawConnection(socket)));
      socket.once('error', reject);
    });
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Waits for the end of the connection. @returns all that came */
  end(): Promise<string> {
    return until(
      () => (this.closed ? this.received : undefined),
      () => `still open after ${this.received}`,
    );
  }

  /** Waits until the whole answer is here: head, and as much body as it announces. */
  answer(): Promise<RawAnswer> {
    return until(
      () => parse(this.received),
      () => `no answer in ${this.received}`,
    );
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** One request as bytes, one answer. */
export async function exchange(port: number, bytes: string): Promise<RawAnswer> {
  const connection = await RawConnection.open(port);
  connection.send(bytes);
  try {
    return await connection.answer();
  } finally {
    connection.destroy();
  }
}

export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly type: string;
  readonly body: string;
}

/** undefined while something is missing. */
export function parse(received: string): RawAnswer | undefined {
  const [head, ...rest] = received.split('\r\n\r\n');
  const body = rest.join('\r\n\r\n');
  const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? '0');
  if (rest.length === 0 || body.length < length) return undefined;
  return { status: Number(head.split(' ')[1]), head, type: /^content-type: *(.*)$/im.exec(head)?.[1].trim() ?? '', body };
}
