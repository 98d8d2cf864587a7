import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

const RECORDED = new URL('../fixtures/qmp-7.2/', import.meta.url);

export const recordedText = (name: string): string => readFileSync(new URL(name, RECORDED), 'utf8');
/** Member `return` of a recorded reply. */
export const recordedReturn = (name: string): unknown => JSON.parse(recordedText(`${name}.json`)).response.return;

export const GREETING = recordedText('raw-session-prelaunch.txt').split('\r\n')[0];

export interface FakeCommand {
  readonly execute: string;
  readonly id?: unknown;
  readonly arguments?: Readonly<Record<string, unknown>>;
}

/** Replies of a QEMU 7.2 with a balloon, a disk and KVM, by command, as they were recorded. */
const RECORDED_REPLIES: Readonly<Record<string, string>> = {
  'query-status': 'query-status',
  'query-cpus-fast': 'query-cpus-fast',
  'query-memory-size-summary': 'query-memory-size-summary',
  'query-balloon': 'query-balloon',
  'query-blockstats': 'query-blockstats',
  'query-block': 'query-block',
  'query-stats-schemas': 'query-stats-schemas-kvm',
  'query-stats vm': 'query-stats-vm-kvm',
  'query-stats vcpu': 'query-stats-vcpu-kvm',
  'query-migrate': 'query-migrate-active',
  'qom-list /machine/peripheral': 'qom-list-peripheral',
  'qom-get guest-stats': 'qom-guest-stats',
  'qom-get guest-stats-polling-interval': 'qom-polling-before',
};

/** Instead of a reply. */
export const HANG = Symbol('says nothing more');
export const LEAVE = Symbol('closes in the middle of its reply');
/** A reply as bytes, or what happens instead. */
export type FakeReply = string | typeof HANG | typeof LEAVE;

/** As QEMU writes it. */
export const line = (message: object): string => `${JSON.stringify(message)}\r\n`;

export function recordedReply({ execute, id, arguments: args }: FakeCommand): string {
  const word = args?.property ?? args?.target ?? args?.path;
  const name = RECORDED_REPLIES[word === undefined ? execute : `${execute} ${word}`];
  if (name !== undefined) return line({ return: recordedReturn(name), id });
  if (execute === 'qmp_capabilities' || execute === 'qom-set') return line({ return: {}, id });
  if (execute === 'qom-list') return line({ return: [], id });
  return line({ id, error: { class: 'CommandNotFound', desc: `The command ${execute} has not been found` } });
}

/** A monitor with QEMU's manners: one client at a time, who comes second waits without a greeting. What it says can be anything. */
export class FakeQmp {
  /** Connections so far, and commands as they came. */
  contacts = 0;
  readonly commands: FakeCommand[] = [];
  greeting: string | null = `${GREETING}\r\n`;
  reply: (command: FakeCommand) => FakeReply = recordedReply;
  /** One byte at a time. */
  dribbles = false;
  /** Bytes that each client hears before the connection is closed, wherever that is. */
  cutAfterBytes = Number.POSITIVE_INFINITY;
  /** Bytes said to the client of now. */
  said = 0;
  private client: Socket | null = null;
  private readonly queue: Socket[] = [];
  private readonly open = new Set<Socket>();

  private constructor(private readonly server: Server) {
    server.on('connection', (socket) => this.accept(socket));
  }

  static async listen(path: string): Promise<FakeQmp> {
    const fake = new FakeQmp(createServer({ allowHalfOpen: false }));
    fake.server.listen(path);
    await once(fake.server, 'listening');
    return fake;
  }

  /** To whoever is connected. */
  async say(text: string): Promise<void> {
    const { client } = this;
    const bytes = Buffer.from(text).subarray(0, Math.max(0, this.cutAfterBytes - this.said));
    this.said += Buffer.byteLength(text);
    for (const part of this.dribbles ? bytes.map((byte) => byte) : []) {
      client?.write(Buffer.of(part));
      await turn();
    }
    if (!this.dribbles) client?.write(bytes);
    if (this.said > this.cutAfterBytes) client?.end();
  }

  event(name: string, data: object = {}): Promise<void> {
    return this.say(line({ timestamp: { seconds: 1, microseconds: 2 }, event: name, data }));
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.open.size;
  }

  dropClient(): void {
    this.client?.destroy();
  }

  async close(): Promise<void> {
    for (const socket of this.open) socket.destroy();
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    await closed;
  }

  private accept(socket: Socket): void {
    this.contacts++;
    this.open.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.open.delete(socket);
      if (this.client === socket) this.next();
    });
    this.queue.push(socket);
    if (!this.client) this.next();
  }

  private next(): void {
    this.client = this.queue.shift() ?? null;
    if (!this.client) return;
    const { client } = this;
    this.said = 0;
    let rest = '';
    client.setEncoding('utf8');
    client.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const one of lines) this.take(JSON.parse(one));
    });
    if (this.greeting !== null) void this.say(this.greeting);
  }

  private take(command: FakeCommand): void {
    this.commands.push(command);
    const reply = this.reply(command);
    if (typeof reply === 'string') void this.say(reply);
    if (reply === LEAVE) this.client?.end('{"return": {"sta');
  }
}
