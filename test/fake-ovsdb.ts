import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { OvsBridge, OvsDatabase, OvsInterface, OvsPort } from '../src/modules/network/ovs/database.js';
import { JsonStream } from '../src/modules/network/ovs/json-stream.js';
import { type Fields, fieldsOf } from '../src/modules/network/ovs/ovsdb-rows.js';

/** Every message of a client, and the connection that it came over. */
export type OvsdbScript = (message: Fields, peer: Socket) => void;

export const say = (peer: Socket, message: object): boolean => peer.write(JSON.stringify(message));
export const answer = (peer: Socket, { id }: Fields, result: unknown): boolean => say(peer, { id, result, error: null });
/** What a server tells of changes, RFC 7047 section 4.1.6 and its `update2`. */
export const update = (tables: object, method = 'update2'): object => ({ id: null, method, params: ['vmgauge', tables] });

/** ovsdb-server on a unix socket, as far as this agent goes: the first state, changes, and heartbeats. */
export class FakeOvsdb {
  readonly heard: Fields[] = [];
  /** All that ever connected. */
  readonly peers: Socket[] = [];
  /** What becomes of a message. */
  script: OvsdbScript = (message, peer) => this.serve(message, peer);

  private constructor(
    private readonly server: Server,
    /** What it tells whoever asks first: `<table-updates2>`. */
    public state: object,
  ) {
    server.on('connection', (peer) => this.accept(peer));
  }

  static async listen(path: string, state: object): Promise<FakeOvsdb> {
    const fake = new FakeOvsdb(createServer(), state);
    fake.server.listen(path);
    await once(fake.server, 'listening');
    return fake;
  }

  /** Like the real one. */
  serve(message: Fields, peer: Socket): void {
    if (message.method === 'monitor_cond') answer(peer, message, this.state);
    if (message.method === 'echo') answer(peer, message, message.params);
  }

  /** Ends all connections and listens no more. May be called twice. */
  async close(): Promise<void> {
    for (const peer of this.peers) peer.destroy();
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    await closed;
  }

  private accept(peer: Socket): void {
    const messages = new JsonStream({ messageBytes: 1 << 20, depth: 32 });
    this.peers.push(peer.on('error', () => undefined));
    peer.on('data', (piece) => {
      for (const message of messages.take(piece)) {
        const fields = fieldsOf(message) ?? {};
        this.heard.push(fields);
        this.script(fields, peer);
      }
    });
  }
}

const optional = (value: unknown): unknown => value ?? ['set', []];
const setOf = (members: readonly unknown[]): unknown => ['set', members];
const mapOf = (pairs: ReadonlyMap<string, string>): unknown => ['map', [...pairs]];

/** A database as a server tells it first: `<table-updates2>`. */
export function firstState({ version, bridges }: OvsDatabase): object {
  const tables = new Tables();
  tables.add('Open_vSwitch', { ovs_version: optional(version) });
  for (const bridge of bridges) tables.addBridge(bridge);
  return tables.told;
}

class Tables {
  readonly told: Record<string, Record<string, object>> = {};
  private rows = 0;

  /** @returns a reference to the row */
  add(table: string, row: object): readonly ['uuid', string] {
    const uuid = `00000000-0000-4000-8000-${String(++this.rows).padStart(12, '0')}`;
    this.told[table] = { ...this.told[table], [uuid]: { initial: row } };
    return ['uuid', uuid];
  }

  addBridge({ name, datapathType, protocols, ports }: OvsBridge): void {
    const references = ports.map((port) => this.addPort(port));
    this.add('Bridge', { name, datapath_type: datapathType, protocols: setOf(protocols), ports: setOf(references) });
  }

  private addPort({ name, tag, externalIds, interfaces }: OvsPort): unknown {
    const references = interfaces.map((iface) => this.addInterface(iface));
    return this.add('Port', { name, tag: optional(tag), external_ids: mapOf(externalIds), interfaces: setOf(references) });
  }

  private addInterface({ name, type, ofPort, ifIndex, mac, linkState, error, externalIds, options }: OvsInterface): unknown {
    return this.add('Interface', {
      ...{ name, type, ofport: optional(ofPort), ifindex: optional(ifIndex), mac_in_use: optional(mac), link_state: optional(linkState) },
      ...{ error: optional(error), external_ids: mapOf(externalIds), options: mapOf(options) },
    });
  }
}
