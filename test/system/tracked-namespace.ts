import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Belongings } from './belongings.js';
import { Child } from './child.js';
import { NetworkNamespace } from './network-namespace.js';

/** Ports and the zone in which connections to them are; others are in zone 0. One zone is for one direction alone. */
const RULES = `
table ip vmgauge {
  chain zones {
    type filter hook output priority raw;
    udp dport 10000-19999 ct original zone set 5
    udp dport 20000-59999 ct zone set 65520
  }
  chain track {
    type filter hook output priority 0;
    ct state new accept
  }
}
`;

/** One TCP connection that stays, and a datagram to each port from the first up to the last. */
const TRAFFIC = `
const [first, last] = process.argv.slice(1).map(Number);
const socket = require('node:dgram').createSocket('udp4').on('error', () => {});
const listener = require('node:net').createServer((peer) => peer.on('error', () => {})).listen(0, '127.0.0.1', () => {
  require('node:net').connect(listener.address().port, '127.0.0.1').on('connect', () => socket.bind(0, '127.0.0.1', send));
});
async function send() {
  for (let port = first; port < last; port++) await new Promise((sent) => socket.send('x', port, '127.0.0.1', sent));
  console.log('sent');
}
`;

/** A network namespace in which connections are tracked, and stay for as long as a test takes. */
export class TrackedNamespace extends NetworkNamespace {
  constructor(private readonly belongings: Belongings) {
    super(belongings);
    const directory = mkdtempSync(join(tmpdir(), 'vmgauge-nft-'));
    writeFileSync(join(directory, 'rules'), RULES);
    this.run('nft', '-f', join(directory, 'rules'));
    rmSync(directory, { recursive: true });
    this.run('sysctl', '-qw', 'net.netfilter.nf_conntrack_udp_timeout=3600');
  }

  /** Resolves when the packets are sent: a connection for each port, and one of TCP. */
  async connect(first: number, last: number): Promise<void> {
    const child = await Child.start([...this.entrance, process.execPath, '-e', TRAFFIC, String(first), String(last)]);
    this.belongings.own(() => child.kill());
    await child.lineThat(/^sent$/);
  }

  /** By conntrack(8), over netlink. */
  get entries(): number {
    return Number(this.run('conntrack', '-C'));
  }

  /** Lines of conntrack(8) -L. */
  list(...filter: readonly string[]): readonly string[] {
    return this.run('conntrack', '-L', ...filter)
      .split('\n')
      .filter((line) => line !== '');
  }

  /** By CPU, what conntrack(8) -S says over netlink. */
  get counted(): readonly Readonly<Record<string, number>>[] {
    return this.run('conntrack', '-S')
      .split('\n')
      .filter((line) => line.startsWith('cpu='))
      .map((line) => Object.fromEntries([...line.matchAll(/(\w+)=(\d+)/g)].map(([, word, value]) => [word, Number(value)])));
  }
}
