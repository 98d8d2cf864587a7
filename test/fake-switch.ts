import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { type Frame, FrameSplitter } from '../src/modules/network/ovs/openflow-frames.js';

/** A message as it goes over the wire; its length is right. */
export function wire(version: number, type: number, xid: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt8(version, 0);
  head.writeUInt8(type, 1);
  head.writeUInt16BE(8 + body.length, 2);
  head.writeUInt32BE(xid, 4);
  return Buffer.concat([head, body]);
}

/** The same bytes as the answer to another question. */
export function withXid(message: Buffer, xid: number): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt32BE(xid, 4);
  return copy;
}

export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

/** A bridge on a unix socket. It answers what it is told to; what it heard is kept. */
export class FakeSwitch {
  readonly heard: Frame[] = [];
  /** Said to whoever comes; a bitmap of 1.0, 1.3 and 1.5 in a header of 1.5. */
  hello: Buffer = wire(6, 0, 3, hex('0001 0008 00000052'));
  /** To everything but a hello. */
  reply: (frame: Frame, socket: Socket) => Buffer | undefined = () => undefined;
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {
    server.on('connection', (socket) => this.accept(socket));
  }

  static async listen(path: string): Promise<FakeSwitch> {
    const fake = new FakeSwitch(createServer());
    fake.server.listen(path);
    await once(fake.server, 'listening');
    return fake;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.sockets.size;
  }

  /** To everybody who is connected. */
  say(bytes: Buffer): void {
    for (const socket of this.sockets) socket.write(bytes);
  }

  /** Ends all connections. */
  hangUp(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.hangUp();
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    await closed;
  }

  private accept(socket: Socket): void {
    const splitter = new FrameSplitter();
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('data', (piece) => {
      for (const frame of splitter.take(piece)) {
        this.heard.push({ ...frame, body: Buffer.from(frame.body) });
        const reply = frame.type === 0 ? undefined : this.reply(frame, socket);
        if (reply && socket.writable) socket.write(reply);
      }
    });
    socket.write(this.hello);
  }
}
