import { Injectable } from '@nestjs/common';
import { Host } from '../../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../../model/collector.js';
import { counter, type Family, gauge, metric } from '../../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../../model/outcome.js';
import type { KernelFile } from '../../../model/process.js';
import { Tables } from '../../../model/tables.js';
import { isVmmInShim } from '../../../model/vmm-in-shim.js';
import { readWhole } from '../../procfs/whole-file.js';
import { ConntrackNamespaces } from './conntrack-namespaces.js';
import { type ConntrackStat, type ConntrackWord, parseConntrackStat } from './conntrack-stat.js';

const WHERE = 'in the network namespace that the VM has for itself';
const counted = (word: ConntrackWord, what: string): Family =>
  counter({ name: `vmgauge_vm_conntrack_${word}_total`, help: `${what} ${WHERE}.` });

const METRICS = {
  entries: metric({
    json: 'network.conntrack.entries',
    family: gauge({
      name: 'vmgauge_vm_conntrack_entries',
      help: `Connections tracked ${WHERE}: those of everything in it, its pod included.`,
    }),
  }),
  insert_failed: metric({
    json: 'network.conntrack.insert_failed',
    family: counted('insert_failed', 'Connections that could not be put into the table, and whose packet was dropped,'),
  }),
  drop: metric({
    json: 'network.conntrack.drop',
    family: counted('drop', 'Packets dropped because their connection could not be tracked, most of them because of a full table,'),
  }),
  early_drop: metric({
    json: 'network.conntrack.early_drop',
    family: counted('early_drop', 'Connections that were forgotten before their time to make room in a full table'),
  }),
};
const COUNTERS = ['insert_failed', 'drop', 'early_drop'] as const;

/** 1700 possible CPUs. */
const buffer = Buffer.allocUnsafeSlow(256 * 1024);

const ANEW = 2 ** 31;

/** What the CPUs counted in one namespace, each for itself in 32 bits, as one number that goes on growing. */
class Total {
  private before: readonly number[] = [];
  private sum = 0;

  add(now: readonly number[]): number {
    for (const [cpu, value] of now.entries()) {
      // The difference in 32 bits is right across a wrap. So much more at once it never was: the kernel counts anew.
      const more = (value - (this.before[cpu] ?? 0)) >>> 0;
      this.sum += more < ANEW ? more : value;
    }
    this.before = now;
    return this.sum;
  }
}

interface Ledger {
  /** The namespace that was counted in. */
  readonly identity: string;
  readonly totals: Readonly<Record<(typeof COUNTERS)[number], Total>>;
}

/** Connections of VMs that have a network namespace of their own: sandboxes, VMs in pods, jails. */
@Injectable()
export class InstanceConntrackCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'instance_conntrack',
    tier: 'slow',
    reads:
      '`/proc/<pid>/net/stat/nf_conntrack`, only where that network namespace is neither the host’s nor another VM’s: connections, and what could not be tracked',
    enabled: true,
  };
  readonly about = InstanceConntrackCollector.about;
  readonly metrics = Object.values(METRICS);
  private readonly columns;
  private readonly namespaces: ConntrackNamespaces;
  private readonly ledgers = new WeakMap<Subject, Ledger>();

  constructor(tables: Tables, host: Host) {
    this.columns = tables.instances.columnsOf(METRICS);
    this.namespaces = new ConntrackNamespaces(host);
  }

  attach(subject: Subject): void {
    this.devices(subject);
  }

  devices(subject: Subject): void {
    if (subject.process) this.namespaces.look(subject, subject.process, isVmmInShim(subject));
  }

  detach(subject: Subject): void {
    this.namespaces.forget(subject);
    this.ledgers.delete(subject);
  }

  collect(subject: Subject): Outcome {
    if (!subject.process) return Outcome.gone;
    try {
      const file = this.namespaces.open(subject, subject.process, isVmmInShim(subject));
      return typeof file === 'number' ? file : this.take(subject, file);
    } catch (error) {
      return outcomeOfErrno(error);
    }
  }

  private take(subject: Subject, file: KernelFile): Outcome {
    try {
      const length = readWhole(file, buffer);
      if (length < 0) return Outcome.tooLarge;
      const stat = parseConntrackStat(buffer.toString('latin1', 0, length));
      if (stat === null) return Outcome.malformed;
      this.write(subject, stat, file.identity());
      return Outcome.ok;
    } finally {
      file.close();
    }
  }

  private write(subject: Subject, { entries, cpus }: ConntrackStat, identity: string): void {
    const ledger = this.ledgerOf(subject, identity);
    this.columns.entries.back[subject.row] = entries;
    for (const word of COUNTERS) {
      const values = cpus.flatMap((counters) => counters[word] ?? []);
      // A word that this kernel does not print has no total, not one of 0.
      if (values.length > 0) this.columns[word].back[subject.row] = ledger.totals[word].add(values);
    }
  }

  private ledgerOf(subject: Subject, identity: string): Ledger {
    const known = this.ledgers.get(subject);
    if (known?.identity === identity) return known;
    const ledger: Ledger = { identity, totals: { insert_failed: new Total(), drop: new Total(), early_drop: new Total() } };
    this.ledgers.set(subject, ledger);
    return ledger;
  }
}
