import type { Host } from '../../../host/host.js';
import { Outcome, outcomeOfErrno } from '../../../model/outcome.js';
import { type ConntrackCounters, parseConntrackStat } from './conntrack-stat.js';
import { parseCpuList } from './cpu-list.js';

/** What the kernel says of the connections it tracks in the network namespace of the host. */
export interface ConntrackReading {
  readonly entries: number;
  /** Beyond which new ones are refused, in each namespace; 0 for no limit. Null where the agent's own namespace does not show it. */
  readonly maxEntries: number | null;
  /** By number; none where the kernel gives no counters. */
  readonly cpus: readonly { readonly cpu: number; readonly counters: ConntrackCounters }[];
}

const SYSCTLS = ['sys', 'net', 'netfilter'] as const;
/** 1700 possible CPUs. */
const STAT_BYTES = 256 * 1024;
const SYSCTL_BYTES = 64;
const CPU_LIST_BYTES = 4096;

/**
 * The last reading of connection tracking on the host, for all who tell of it.
 *
 * A file below `/proc/<pid>/net` shows the namespace of that process, a sysctl that of whoever reads it, whatever procfs it is read through.
 * The count is therefore init's, and the sysctl stands in for it only where this agent is in the same namespace: kernels built without
 * CONFIG_NF_CONNTRACK_PROCFS have nothing else. The maximum is one for all namespaces, so any reader's will do.
 */
export class HostConntrack {
  /** Null where the last reading was not ok. */
  last: ConntrackReading | null = null;
  private ownIsHosts: boolean | null = null;
  /** Fixed at boot. */
  private possible: readonly number[] | null = null;

  constructor(private readonly host: Host) {}

  /** Some 0.15 ms, and as much again for 256 CPUs. `not_configured`: the kernel has no connection tracking, or its module is not loaded. */
  read(): Outcome {
    this.last = null;
    try {
      const reading = this.now();
      if (typeof reading === 'number') return reading;
      this.last = reading;
      return Outcome.ok;
    } catch (error) {
      return outcomeOfErrno(error);
    }
  }

  /** The table of the host's connections, a line each; not there where the kernel is built without it. */
  get tablePath(): string {
    return this.host.proc('1', 'net', 'nf_conntrack');
  }

  private now(): ConntrackReading | Outcome {
    const text = this.tryText(this.host.proc('1', 'net', 'stat', 'nf_conntrack'), STAT_BYTES);
    if (text === undefined) return this.bySysctl();
    const stat = parseConntrackStat(text);
    if (stat === null) return Outcome.malformed;
    return { entries: stat.entries, maxEntries: this.sysctl('nf_conntrack_max'), cpus: this.numbered(stat.cpus) };
  }

  private bySysctl(): ConntrackReading | Outcome {
    const entries = this.sysctl('nf_conntrack_count');
    // Under hidepid init is not there for us.
    if (!this.host.exists(this.host.proc('1'))) return Outcome.notPermitted;
    if (entries === null) return Outcome.notConfigured;
    return this.isInHosts() ? { entries, maxEntries: this.sysctl('nf_conntrack_max'), cpus: [] } : Outcome.unsupported;
  }

  /** The kernel prints a line for each CPU that could ever be plugged in, hundreds on some machines; those that are not there never count. */
  private numbered(lines: readonly ConntrackCounters[]): ConntrackReading['cpus'] {
    this.possible ??= this.cpus('possible');
    const { possible } = this;
    const present = new Set(this.cpus('present'));
    return lines
      .map((counters, place) => ({ cpu: possible?.length === lines.length ? possible[place] : place, counters }))
      .filter(({ cpu }) => present.size === 0 || present.has(cpu));
  }

  private cpus(which: 'possible' | 'present'): readonly number[] | null {
    return parseCpuList(this.host.tryReadText(this.host.sys('devices', 'system', 'cpu', which), CPU_LIST_BYTES) ?? '');
  }

  private sysctl(name: string): number | null {
    const digits = /^(\d{1,10})\n$/.exec(this.host.tryReadText(this.host.proc(...SYSCTLS, name), SYSCTL_BYTES) ?? '')?.[1];
    return digits === undefined ? null : Number(digits);
  }

  /** Neither the agent nor init ever leaves its namespace. */
  private isInHosts(): boolean {
    this.ownIsHosts ??= this.namespaceOf('self') === this.namespaceOf('1');
    return this.ownIsHosts;
  }

  private namespaceOf(process: string): string {
    const file = this.host.holdFile(this.host.proc(process, 'net', 'dev'));
    try {
      return file.identity();
    } finally {
      file.close();
    }
  }

  /** @returns undefined for a file that is not there @throws the system's other errors */
  private tryText(path: string, limitBytes: number): string | undefined {
    try {
      return this.host.readText(path, limitBytes);
    } catch (error) {
      if (outcomeOfErrno(error) === Outcome.gone) return undefined;
      throw error;
    }
  }
}
