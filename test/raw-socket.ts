import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

/** What a server does with a connection once a whole request head has come. */
export type Reply = (connection: Socket) => void;

/** A server on a unix socket that writes bytes as it likes, and counts who comes. */
export class RawSocket {
  /** Connections, and requests of which the whole head came. */
  accepted = 0;
  readonly requests: string[] = [];
  private readonly open = new Set<Socket>();

  private constructor(
    readonly path: string,
    private readonly server: Server,
    public reply: Reply,
  ) {
    server.on('connection', (connection) => this.accept(connection));
  }

  static async listen(path: string, reply: Reply): Promise<RawSocket> {
    const socket = new RawSocket(path, createServer(), reply);
    socket.server.listen(path);
    await once(socket.server, 'listening');
    return socket;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.open.size;
  }

  async close(): Promise<void> {
    for (const connection of this.open) connection.destroy();
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    await closed;
  }

  private accept(connection: Socket): void {
    this.accepted++;
    this.open.add(connection);
    let head = '';
    connection.on('close', () => this.open.delete(connection));
    connection.on('error', () => undefined);
    connection.on('data', (bytes) => {
      const had = head.includes('\r\n\r\n');
      head += bytes.toString('latin1');
      if (had || !head.includes('\r\n\r\n')) return;
      this.requests.push(head);
      this.reply(connection);
    });
  }
}

const head = (status: string, headers: Readonly<Record<string, string | number>>): string =>
  `HTTP/1.1 ${status}\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`;

/** A whole answer with its length, and the end. */
export const answer =
  (body: string | Buffer, status = '200 OK', headers: Readonly<Record<string, string | number>> = {}): Reply =>
  (connection) => {
    const bytes = Buffer.from(body);
    connection.write(head(status, { 'content-length': bytes.length, ...headers }));
    connection.end(bytes);
  };

/** These bytes and no end. */
export const bytes =
  (...pieces: readonly (string | Buffer)[]): Reply =>
  (connection) => {
    for (const piece of pieces) connection.write(piece);
  };

/** These bytes, and the connection is cut. */
export const cut =
  (...pieces: readonly (string | Buffer)[]): Reply =>
  (connection) =>
    connection.end(Buffer.concat(pieces.map((piece) => Buffer.from(piece))));

/** A good head, then one byte a time, for ever. @param everyMs between two bytes */
export const drip =
  (text: string, everyMs: number): Reply =>
  (connection) => {
    connection.write(head('200 OK', { 'content-length': text.length * 1000 }));
    let at = 0;
    const timer = setInterval(() => connection.write(text[at++ % text.length]), everyMs);
    connection.on('close', () => clearInterval(timer));
  };

/** A good head, then this piece again and again for as long as anybody reads, or so often. */
export const flood =
  (piece: Buffer, headers: Readonly<Record<string, string | number>>, times = Number.POSITIVE_INFINITY): Reply =>
  (connection) => {
    let left = times;
    const more = (): void => {
      while (left-- > 0 && connection.writable) if (!connection.write(piece)) return void connection.once('drain', more);
      if (left < 0) connection.end();
    };
    connection.write(head('200 OK', headers));
    more();
  };

export const silence: Reply = () => undefined;
