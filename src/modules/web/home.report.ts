import { Inject, Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import { allocatedMemory } from '../../model/collector.js';
import type { InstanceSource, Sandbox } from '../../model/instance.js';
import { outcomeWords } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { Tables } from '../../model/tables.js';
import { timestamp } from '../../model/units.js';
import { VERSION } from '../../version.js';
import { Collection } from '../collection/collection.js';
import { HostCollection, type HostCollectorState } from '../collection/host-collection.js';
import { Discovery } from '../instances/discovery.js';
import type { Instance } from '../instances/instance.js';
import { Registry, type SourceStatus } from '../instances/registry.js';
import { INSTANCE_SOURCES, SOURCES } from '../instances/sources.js';
import { Evidence } from '../stats/evidence.js';

/** One instance in a line; null is unknown. */
export interface HomeRow {
  readonly id: string;
  readonly name: string;
  readonly hypervisor: string;
  readonly state: string;
  /** It has a process: there is a metrics page of it alone. */
  readonly alive: boolean;
  readonly vcpus: number | null;
  readonly memoryBytes: number | null;
  readonly allocatedBytes: number | null;
  /** CPUs in use, and bytes a second seen from the guest, over the last two sweeps. */
  readonly cores: number | null;
  readonly rxPerSecond: number | null;
  readonly txPerSecond: number | null;
  /** `Kata pod default/web`, as far as it is known; null for an instance that is no sandbox. */
  readonly sandbox: string | null;
  /** `internal error`: why it is degraded. */
  readonly evidence: readonly string[];
  /** `not permitted: io, process`: what somebody should look after, by reason. */
  readonly complaints: readonly string[];
}

export interface HomeSource {
  readonly name: string;
  readonly status: 'ok' | 'failing' | 'off';
  /** What it finds, or why it fails. */
  readonly about: string;
  readonly instances: number;
  readonly problems: readonly (readonly [entry: string, problem: string])[];
}

/** What is read of the host itself. */
export interface HomeReading {
  readonly name: string;
  readonly status: 'ok' | 'failing';
  /** `ok`, or why not: `not permitted`. */
  readonly word: string;
}

/** What the page for people says, before it is HTML or text. */
export interface HomeReport {
  readonly version: string;
  readonly hostName: string;
  readonly collectedAt: string | null;
  readonly telemetryPath: string;
  /** At most ROW_LIMIT of them, by name. */
  readonly rows: readonly HomeRow[];
  readonly total: number;
  /** Instances by state, the most frequent first. */
  readonly states: readonly (readonly [state: string, count: number])[];
  readonly sources: readonly HomeSource[];
  /** Of the host itself, as far as it has anything of the kind. */
  readonly readings: readonly HomeReading[];
  /** Kata sandboxes that run. */
  readonly sandboxes: number;
  /** Processes looked at by the last rescan, and how many of them may not be looked into. */
  readonly processes: number;
  readonly unreadable: number;
}

const ROW_LIMIT = 200;
/** Being without NICs or vhost threads, or switched off, needs nobody's attention. */
const QUIET_REASONS: ReadonlySet<string> = new Set(['not_configured', 'unsupported']);

/** Collects what the page shows from the registry and the last sweep. */
@Injectable()
export class HomeReporter {
  private readonly places: ReadonlyMap<string, { readonly front: Float64Array }>;
  private readonly evidence: Evidence;

  constructor(
    private readonly tables: Tables,
    private readonly host: Host,
    private readonly settings: Settings,
    private readonly registry: Registry,
    private readonly collection: Collection,
    private readonly discovery: Discovery,
    private readonly ofHost: HostCollection,
    @Inject(INSTANCE_SOURCES) private readonly sources: readonly InstanceSource[],
  ) {
    this.evidence = new Evidence(tables.instances.columns);
    this.places = new Map(tables.instances.columns.map((column) => [column.metric.json, column]));
  }

  report(): HomeReport {
    const { collection, registry, discovery } = this;
    const instances = [...registry.all()].sort((a, b) => atRest(a) - atRest(b) || byText(a.name, b.name) || byText(a.id, b.id));
    return {
      version: VERSION,
      hostName: this.host.tryReadText(this.host.proc('sys/kernel/hostname'), 256)?.trim() ?? '',
      collectedAt: collection.last.sequence === 0 ? null : timestamp(collection.last.startedMs),
      telemetryPath: this.settings.telemetryPath,
      rows: instances.slice(0, ROW_LIMIT).map((instance) => this.row(instance)),
      total: instances.length,
      states: countStates(instances),
      sources: [...registry.sources.map((status) => this.source(status)), ...this.sourcesOff()],
      readings: this.ofHost.active.filter(({ outcome }) => !QUIET_REASONS.has(outcomeWords(outcome).reason ?? '')).map(reading),
      sandboxes: this.tables.sandboxes.order.rows.length,
      processes: discovery.processes,
      unreadable: discovery.unreadable,
    };
  }

  private row(instance: Instance): HomeRow {
    const { id, name, hypervisor, state, row, record } = instance;
    const rates = this.collection.rates(instance)?.perSecond;
    return {
      id,
      name,
      hypervisor,
      state,
      alive: row >= 0,
      vcpus: record.vcpus ?? null,
      memoryBytes: this.cell('memory_rss_bytes', row),
      allocatedBytes: allocatedMemory(instance) ?? null,
      cores: rates?.get('cpu_cores') ?? null,
      rxPerSecond: rates?.get('network_rx_bytes_per_second') ?? null,
      txPerSecond: rates?.get('network_tx_bytes_per_second') ?? null,
      sandbox: record.sandbox ? sandboxWords(record.sandbox) : null,
      evidence: state === 'degraded' ? this.evidence.of(row, 'front').map((word) => word.replaceAll('_', ' ')) : [],
      complaints: row >= 0 ? this.complaints(instance) : [],
    };
  }

  private cell(place: string, row: number): number | null {
    const value = this.places.get(place)?.front[row];
    return value === undefined || Number.isNaN(value) ? null : value;
  }

  private complaints({ row, attachedAt }: Instance): string[] {
    // What takes two readings is not there yet.
    const isNew = this.collection.last.startedAt - attachedAt <= this.settings.waitIntervalMs;
    const byReason = new Map<string, string[]>();
    for (const { collector, outcome } of this.collection.sampler.active) {
      const { outcome: word, reason = word } = outcomeWords(outcome.front[row]);
      // An empty cell is a turn that has not come yet.
      if (Number.isNaN(outcome.front[row]) || word === 'ok' || QUIET_REASONS.has(reason) || (isNew && reason === 'busy')) continue;
      byReason.set(reason, [...(byReason.get(reason) ?? []), collector.about.name]);
    }
    return [...byReason].map(([reason, names]) => `${reason.replaceAll('_', ' ')}: ${names.join(', ')}`);
  }

  private source({ name, ok, error, instances }: SourceStatus): HomeSource {
    const about = SOURCES.find((entry) => entry.name === name)?.help ?? 'A source of the application that embeds the agent.';
    const problems = [...(this.sources.find((source) => source.name === name)?.problems ?? [])];
    return ok
      ? { name, status: 'ok', about, instances, problems }
      : { name, status: 'failing', about: error ?? 'It has not answered yet.', instances, problems };
  }

  private sourcesOff(): HomeSource[] {
    return SOURCES.filter(({ name }) => !this.sources.some((source) => source.name === name)).map(({ name, help }) => ({
      name,
      status: 'off',
      about: help,
      instances: 0,
      problems: [],
    }));
  }
}

function sandboxWords({ pod }: Sandbox): string {
  const words = [pod?.namespace, pod?.name].filter((word) => word !== undefined);
  return words.length === 0 ? 'Kata' : `Kata pod ${words.join('/')}`;
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function countStates(instances: readonly Instance[]): (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const { state } of instances) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].sort(([a, m], [b, n]) => n - m || byText(a, b));
}

/** What does not work comes first, then what runs: of many stopped ones only the first rows are shown. */
const atRest = ({ current, state }: Instance): number => (state === 'degraded' ? 0 : current ? 1 : 2);

function reading({ collector: { about }, outcome }: HostCollectorState): HomeReading {
  const { reason } = outcomeWords(outcome);
  return {
    name: about.name,
    status: reason === undefined ? 'ok' : 'failing',
    word: reason === undefined ? 'ok' : reason.replaceAll('_', ' '),
  };
}
