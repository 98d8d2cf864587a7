import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Host } from '../../src/host/host.js';
import { Outcome } from '../../src/model/outcome.js';
import { Settings } from '../../src/model/settings.js';
import { SocketsReader } from '../../src/modules/events/sockets.js';
import type { Amount } from '../../src/modules/events/words.js';
import { holdProcess, type ProcfsProcess } from '../../src/modules/procfs/held-process.js';
import { withoutRights } from '../without-rights.js';
import { Belongings } from './belongings.js';
import { Child } from './child.js';
import { eventually } from './eventually.js';
import { BASICS, describeWith, expectOfMachine, iproute, program } from './needs.js';
import { NetworkNamespace } from './network-namespace.js';

const NOBODY = 65_534;
/** With the group of the test, which goes without rights but not without that: user and group are both asked for, ptrace(2). */
const AS_NOBODY = ['setpriv', '--reuid', String(NOBODY), '--clear-groups', '--'];
/** Of both sides of connections; it does what the lines on its standard input say. */
const PEER = `
const net = require('node:net');
const fs = require('node:fs');
const sockets = [];
let received = 0;
const say = (...words) => process.stdout.write(words.join(' ') + '\\n');
const keep = (socket) => {
  sockets.push(socket);
  socket.on('data', (piece) => { received += piece.length; }).on('end', () => say('end')).on('error', () => {});
};
const orders = {
  listen: () => {
    const server = net.createServer({ allowHalfOpen: true }, keep).listen(0, '127.0.0.1', () => say('port', server.address().port));
  },
  connect: (port) => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => { keep(socket); say('connected'); });
  },
  send: (index, bytes) => sockets[index].write(Buffer.alloc(bytes, 'x'), () => say('sent')),
  received: () => say('received', received),
  finish: (index) => sockets[index].end(() => say('finished')),
  write: (path, bytes) => { fs.writeFileSync(path, Buffer.alloc(bytes, 'x'), { flush: true }); say('written'); },
};
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const [order, ...words] = line.split(' ');
  orders[order](...words.map((word) => (/^\\d+$/.test(word) ? Number(word) : word)));
});
say('ready');
`;

class Peer {
  readonly process: ProcfsProcess;

  private constructor(
    readonly child: Child,
    belongings: Belongings,
  ) {
    this.process = holdProcess(new Host(), child.pid);
    belongings.own(() => this.process.close());
  }

  static async start(belongings: Belongings, entrance: readonly string[] = []): Promise<Peer> {
    const child = await Child.start([...entrance, process.execPath, '-e', PEER]);
    belongings.own(() => child.kill());
    await child.lineThat(/^ready$/);
    return new Peer(child, belongings);
  }

  async tell(order: string, answer: RegExp): Promise<number> {
    this.child.write(`${order}\n`);
    return Number((await this.child.lineThat(answer))[1]);
  }

  listen = (): Promise<number> => this.tell('listen', /^port (\d+)$/);
  connect = (port: number): Promise<number> => this.tell(`connect ${port}`, /^connected$/);
  send = (socket: number, bytes: number): Promise<number> => this.tell(`send ${socket} ${bytes}`, /^sent$/);
  finish = (socket: number): Promise<number> => this.tell(`finish ${socket}`, /^finished$/);

  async hasReceived(bytes: number): Promise<void> {
    await eventually(`${bytes} bytes at the other side`, async () => (await this.tell('received', /^received (\d+)$/)) === bytes);
  }
}

describeWith('sockets of real processes, by ss', [...BASICS, iproute, program('ss', 'iproute2')], () => {
  let belongings: Belongings;
  let reader: SocketsReader;
  beforeEach(() => {
    belongings = new Belongings();
    // Readings are made one by one here, as slowly as the machine will have them.
    reader = new SocketsReader(new Host(), Object.assign(new Settings(), { socketsIntervalMs: 1e9 }));
    belongings.own(() => reader.close());
  });
  afterEach(() => belongings.release());

  const amountsOf = ({ process }: Peer): Partial<Record<Amount, number>> => {
    const { read_bytes, write_bytes, ...network } = Object.fromEntries(reader.measureOf(process)?.amounts ?? []);
    return network;
  };
  const look = async (...peers: readonly Peer[]): Promise<Partial<Record<Amount, number>>[]> => {
    peers.map(amountsOf);
    expect(await reader.read()).toBe(Outcome.ok);
    return peers.map(amountsOf);
  };
  const moved = (send_bytes: number, receive_bytes: number) => expect.objectContaining({ send_bytes, receive_bytes });

  it('count the very bytes that were sent and received since they are watched', async () => {
    const server = await Peer.start(belongings);
    const client = await Peer.start(belongings);
    const port = await server.listen();
    await client.connect(port);
    await client.send(0, 5000);
    await server.hasReceived(5000);
    // What an open connection moved before is not counted.
    expect(await look(server, client)).toEqual([moved(0, 0), moved(0, 0)]);

    await client.send(0, 100_000);
    await server.send(0, 7);
    await client.connect(port);
    await client.send(1, 1_000_000);
    await server.hasReceived(1_105_000);
    await client.hasReceived(7);
    expect(await look(server, client)).toEqual([moved(7, 1_100_000), moved(1_100_000, 7)]);

    // The end of a connection is no byte, neither while it is half open nor later.
    await client.finish(1);
    await server.child.lineThat(/^end$/);
    expect(await look(server, client)).toEqual([moved(7, 1_100_000), moved(1_100_000, 7)]);
    await server.finish(1);
    await client.child.lineThat(/^end$/);
    await client.send(0, 1);
    await server.hasReceived(1_105_001);
    expect(await look(server, client)).toEqual([moved(7, 1_100_001), moved(1_100_001, 7)]);

    for (const { process } of [server, client]) {
      const rtt = reader.measureOf(process)?.timings.get('rtt');
      expect(rtt?.lastNanoseconds).toBeGreaterThan(0);
      // Over the loopback, on a machine that may be busy.
      expect(rtt?.lastNanoseconds).toBeLessThan(10e9);
      expect(rtt?.count).toBe(0);
    }
  });

  it('miss connections that begin and end between two looks', async () => {
    const server = await Peer.start(belongings);
    const client = await Peer.start(belongings);
    const port = await server.listen();
    await look(server, client);
    await client.connect(port);
    await client.send(0, 1000);
    await server.hasReceived(1000);
    await Promise.all([client.finish(0), server.child.lineThat(/^end$/)]);
    await Promise.all([server.finish(0), client.child.lineThat(/^end$/)]);
    const [ofServer, ofClient] = await look(server, client);
    // The last to finish may still wait for the kernel: then it is seen, and in whole.
    expect([0, 1000]).toContain(ofServer.receive_bytes);
    expect([0, 1000]).toContain(ofClient.send_bytes);
    expect(await look(server, client)).toEqual([ofServer, ofClient]);
  });

  it('of a process in another network namespace are not known', async () => {
    const namespace = new NetworkNamespace(belongings);
    const server = await Peer.start(belongings, namespace.entrance);
    const client = await Peer.start(belongings, namespace.entrance);
    const here = await Peer.start(belongings);
    await client.connect(await server.listen());
    await client.send(0, 1000);
    await server.hasReceived(1000);
    expect(await look(server, client, here)).toEqual([{}, {}, moved(0, 0)]);
    expect(reader.measureOf(server.process)?.timings.size).toBe(0);
  });

  it('of a process that ended are not those of the next one with its pid', async (context) => {
    const server = await Peer.start(belongings);
    const port = await server.listen();
    const client = await Peer.start(belongings);
    await look(client);
    await client.child.kill();
    expect(reader.measureOf(client.process)).toBeNull();

    let next: Peer | undefined;
    for (let tries = 0; tries < 100 && next?.child.pid !== client.child.pid; tries++) {
      await next?.child.kill();
      // The kernel gives the next pid that is free; others may be faster.
      writeFileSync('/proc/sys/kernel/ns_last_pid', String(client.child.pid - 1));
      next = await Peer.start(belongings);
    }
    if (!next) expect.fail('nothing was started');
    expectOfMachine(context, next.child.pid === client.child.pid, 'the pid was taken by others each time');
    await next.connect(port);
    await next.send(0, 1000);
    await server.hasReceived(1000);
    expect(reader.measureOf(client.process)).toBeNull();
    expect(amountsOf(next)).toEqual({});
    expect(await reader.read()).toBe(Outcome.ok);
    expect(reader.measureOf(client.process)).toBeNull();
    expect(amountsOf(next)).toEqual(moved(0, 0));
    await next.send(0, 50);
    await server.hasReceived(1050);
    expect(await look(next)).toEqual([moved(50, 0)]);
    expect(reader.measureOf(client.process)).toBeNull();
  });

  it('of another user’s process are not permitted to one without rights, its own user’s are seen', async () => {
    const ofRoot = await Peer.start(belongings);
    const server = await Peer.start(belongings, AS_NOBODY);
    const client = await Peer.start(belongings, AS_NOBODY);
    await client.connect(await server.listen());
    await withoutRights(async () => {
      expect(reader.measureOf(ofRoot.process)).toBeNull();
      expect(await reader.read()).toBe(Outcome.notPermitted);
      expect(await look(client)).toEqual([moved(0, 0)]);
    });
    await client.send(0, 1234);
    await server.hasReceived(1234);
    await withoutRights(async () => expect(await look(client, ofRoot)).toEqual([moved(1234, 0), {}]));
  });

  it('stand beside what the process moved from and to storage', async () => {
    const { child, process } = await Peer.start(belongings);
    const written = (): number => Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${child.pid}/io`, 'latin1'))?.[1]);
    const before = written();
    expect(reader.measureOf(process)?.amounts.get('write_bytes')).toBe(0);
    const path = join(import.meta.dirname, `.written-${child.pid}`);
    belongings.own(() => Child.start(['rm', '-f', path]).then((rm) => rm.gone()));
    child.write(`write ${path} 1048576\n`);
    await child.lineThat(/^written$/);
    expect(written()).toBeGreaterThan(before);
    expect(reader.measureOf(process)?.amounts.get('write_bytes')).toBe(written() - before);
  });
});
