import { chmodSync, chownSync, lstatSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { HostError } from './host-error.js';
import { LineSplitter } from './line-splitter.js';

/** systemd's first inherited descriptor, sd_listen_fds(3). */
const INHERITED = 3;
const SOCKET_MODE = 0o660;
/** Of a socket before its group is set. */
const PRIVATE_UMASK = 0o177;
const MAX_CONNECTIONS = 16;
const CONNECT_MS = 1000;

export interface PeerLimits {
  /** Of one line that comes, its end included. */
  readonly lineBytes: number;
  /** Of all that comes until the next `renew`. */
  readonly budgetBytes: number;
  /** Of what waits to be read by the other side; more ends the connection. */
  readonly unreadBytes: number;
}

export interface PeerListener {
  line(text: string): void;
  /** Once; the connection is closed. */
  ended(): void;
}

/** The other side of a connection on which both speak in lines. */
export class Peer {
  private budget: number;
  private isClosed = false;
  private listener: PeerListener | null = null;

  constructor(
    private readonly socket: Socket,
    private readonly limits: PeerLimits,
  ) {
    this.budget = limits.budgetBytes;
    const splitter = new LineSplitter(limits.lineBytes);
    socket.on('data', (piece: Buffer) => this.take(piece, splitter));
    socket.on('error', () => this.close());
    socket.on('close', () => this.close());
  }

  listen(listener: PeerListener): void {
    this.listener = listener;
  }

  /** One that does not read is let go. */
  send(line: string): void {
    if (this.isClosed) return;
    this.socket.write(`${line}\n`);
    if (this.socket.writableLength > this.limits.unreadBytes) this.close();
  }

  renew(): void {
    this.budget = this.limits.budgetBytes;
  }

  /** What was sent before is delivered, where the other side reads it in time. */
  finish(withinMs: number): void {
    if (this.isClosed) return;
    this.socket.end();
    setTimeout(() => this.close(), withinMs).unref();
  }

  /** At once. May be called twice. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.socket.destroy();
    this.listener?.ended();
  }

  private take(piece: Buffer, splitter: LineSplitter): void {
    this.budget -= piece.length;
    try {
      if (this.budget < 0) throw new HostError('EFBIG', `more than ${this.limits.budgetBytes} bytes`);
      for (const text of splitter.take(piece)) if (!this.isClosed) this.listener?.line(text);
    } catch {
      this.close();
    }
  }
}

export interface Place {
  /** Of the socket; null: descriptor 3, which was listened at before this process started. */
  readonly path: string | null;
  /** Of the users who may connect; null: that of this process. */
  readonly gid: number | null;
}

/** Whether a socket was handed over: LISTEN_PID keeps children of ours from taking it for theirs. */
export const inheritedSocket = ({ LISTEN_PID, LISTEN_FDS } = process.env): boolean =>
  Number(LISTEN_PID) === process.pid && Number(LISTEN_FDS) >= 1;

/** Listens at a unix socket that root and one group may connect to. */
export class LineServer {
  private readonly server: Server;
  private path: string | null = null;

  constructor(limits: PeerLimits, accept: (peer: Peer) => void) {
    this.server = createServer((socket) => accept(new Peer(socket, limits)));
    this.server.maxConnections = MAX_CONNECTIONS;
  }

  /** @throws EADDRINUSE where somebody listens there, EEXIST where a file is that is no socket, and the system's other errors */
  async listen({ path, gid }: Place): Promise<void> {
    if (path === null) return this.listenAt({ fd: INHERITED });
    await removeDead(path);
    const before = process.umask(PRIVATE_UMASK);
    try {
      await this.listenAt({ path });
    } finally {
      process.umask(before);
    }
    this.path = path;
    if (gid !== null) chownSync(path, -1, gid);
    chmodSync(path, SOCKET_MODE);
  }

  /** Connections that were accepted stay. */
  close(): void {
    this.server.close();
    if (this.path !== null) rmSync(this.path, { force: true });
  }

  private listenAt(where: { readonly path: string } | { readonly fd: number }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(where, () => {
        this.server.off('error', reject);
        this.server.on('error', () => undefined);
        resolve();
      });
    });
  }
}

/** A socket that a killed process left behind refuses everybody. */
async function removeDead(path: string): Promise<void> {
  const about = lstatSync(path, { throwIfNoEntry: false });
  if (!about) return;
  if (!about.isSocket()) throw new HostError('EEXIST', `${path} is there and no socket`);
  if (await isListenedAt(path)) throw new HostError('EADDRINUSE', `somebody listens at ${path}`);
  rmSync(path, { force: true });
}

function isListenedAt(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const say = (is: boolean) => (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(is);
    };
    const timer = setTimeout(say(true), CONNECT_MS);
    socket.once('connect', say(true));
    socket.once('error', (error) => say(!('code' in error && error.code === 'ECONNREFUSED'))());
  });
}
