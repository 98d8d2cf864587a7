import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Belongings } from './belongings.js';

/** Counters of one interface as the host has them, from netlink and not from /proc/net/dev. */
export interface LinkCounters {
  readonly rx: Side;
  readonly tx: Side;
}
interface Side {
  readonly bytes: number;
  readonly packets: number;
  readonly errors: number;
  readonly dropped: number;
}

const run = (...argv: string[]): string => execFileSync(argv[0], argv.slice(1), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** A name for an interface that nobody else on this machine has: at most 15 bytes, as the kernel allows. */
export const freshInterfaceName = (): string => `vgt${randomBytes(4).toString('hex')}`;

/** A network namespace of the test's own, without IPv6: the kernel's own neighbour discovery would move the counters. */
export class NetworkNamespace {
  readonly name = `vmgauge-${randomBytes(4).toString('hex')}`;

  constructor(belongings: Belongings) {
    run('ip', 'netns', 'add', this.name);
    belongings.own(() => run('ip', 'netns', 'delete', this.name));
    this.run('sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1');
    this.run('ip', 'link', 'set', 'lo', 'up');
  }

  /** Words that put the program behind them into this namespace; it keeps its pid. */
  get entrance(): readonly string[] {
    return ['ip', 'netns', 'exec', this.name];
  }

  get path(): string {
    return `/run/netns/${this.name}`;
  }

  run(...argv: string[]): string {
    return run(...this.entrance, ...argv);
  }

  /** Ready to send: the guest's address is known beforehand, so that no ARP is asked. */
  raise(tap: string, subnet: number, mac = '02:00:00:00:00:01'): void {
    this.run('ip', 'address', 'replace', `10.253.${subnet}.1/24`, 'dev', tap);
    this.run('ip', 'link', 'set', tap, 'up');
    this.run('ip', 'neighbour', 'replace', `10.253.${subnet}.2`, 'lladdr', mac, 'dev', tap);
  }

  /** UDP datagrams to the guest, each in one frame of 42 bytes more. */
  sendDatagrams(subnet: number, count: number, bytes: number): void {
    const script = `exec 3>/dev/udp/10.253.${subnet}.2/9; for ((i = 0; i < ${count}; i++)); do head -c ${bytes} /dev/zero >&3; done`;
    this.run('bash', '-c', script);
  }

  counters(interfaceName: string): LinkCounters {
    return countersOf(this.run('ip', '-s', '-j', 'link', 'show', 'dev', interfaceName));
  }
}

/** Counters of an interface in the test's own namespace. */
export const hostCounters = (interfaceName: string): LinkCounters =>
  countersOf(run('ip', '-s', '-j', 'link', 'show', 'dev', interfaceName));

function countersOf(json: string): LinkCounters {
  // ip-link(8) with -s -j: one object with `stats64`.
  const [{ stats64 }] = JSON.parse(json) as { stats64: LinkCounters }[];
  return stats64;
}

/** Names of the interfaces in the test's own namespace. */
export const hostInterfaces = (): string[] =>
  // ip-link(8) with -j: one object an interface.
  (JSON.parse(run('ip', '-j', 'link', 'show')) as { ifname: string }[]).map(({ ifname }) => ifname);
