import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import { Slicer } from '../../host/slicer.js';
import type { Subject } from '../../model/collector.js';
import { Outcome, outcomeWords } from '../../model/outcome.js';
import type { Column } from '../../model/table.js';
import { type PartKey, Tables } from '../../model/tables.js';
import { timestamp } from '../../model/units.js';
import { Collection } from '../collection/collection.js';
import type { CollectorState } from '../collection/sampler.js';
import type { Instance } from '../instances/instance.js';
import { CellTemplate, cell, type Generation, groupTemplates, memberTemplate } from './document.js';
import { LimitsView } from './limits.view.js';
import { PartsView } from './parts.view.js';
import { RowsByParent } from './rows-by-parent.js';
import { ShimView } from './shim.view.js';
import { VmmView } from './vmm.view.js';

/** The ten fields of hypeman's instance statistics, in its order. Two are words, the others stand in columns under the same name. */
export const HYPEMAN_FIELDS = [
  'cpu_seconds',
  'memory_rss_bytes',
  'memory_vms_bytes',
  'network_rx_bytes',
  'network_tx_bytes',
  'allocated_vcpus',
  'allocated_memory_bytes',
  'memory_utilization_ratio',
] as const;

const UTILIZATION = 'cpu_utilization_ratio';
const CORES = 'cpu_cores';

/** A collector as the documents need it. Its class is looked at once: asking objects of many classes in turn is slow. */
interface CollectorReport {
  /** `"cpu":{"outcome":"` */
  readonly opening: string;
  /** Missing: all concern it. */
  readonly concerns: ((subject: Subject, generation: Generation) => boolean) | undefined;
  readonly cells: Pick<CollectorState, 'outcome' | 'seconds' | 'at'>;
}

const reportOf = ({ collector, outcome, seconds, at }: CollectorState): CollectorReport => ({
  opening: `"${collector.about.name}":{"outcome":"`,
  concerns:
    collector.concerns && (collector.about.tier === 'sweep' ? hadTurn(outcome) : (subject) => collector.concerns?.(subject) !== false),
  cells: { outcome, seconds, at },
});

/** Of what has its turn in every sweep the cells say whom it concerned then, whatever has changed since; and asking them costs least. */
const hadTurn =
  (outcome: Column) =>
  ({ row }: Subject, generation: Generation): boolean =>
    row >= 0 && !Number.isNaN(outcome[generation][row]);

/** Groups within groups that are null where nothing of them is known: most VMs have none of them. */
const OPTIONAL: ReadonlySet<string> = new Set([
  'memory.guest',
  'memory.balloon',
  'memory.vmm',
  'memory.kvm',
  'memory.breakdown',
  'vmm.dropped',
  ...['pressure.cpu', 'pressure.cpu.full', 'pressure.memory', 'pressure.io', 'pressure.irq', 'pressure.irq.some'],
]);

/** Renders stats documents: ready strings, made once per instance and sweep. A pure reader of the tables. */
@Injectable()
export class StatsView {
  private readonly top = new CellTemplate();
  private readonly groups: ReadonlyMap<string, CellTemplate>;
  private readonly interfaceColumns: readonly Column[];
  private readonly interfaceOutcome: Column | undefined;
  private readonly vcpus: Column | undefined;
  private readonly cache: { instance: Instance; sequence: number; json: string }[] = [];
  private readonly interfaceRows: RowsByParent;
  private readonly shim: ShimView;
  private readonly vmm: VmmView;
  private readonly limits: LimitsView;
  private readonly switchPorts: PartsView;
  private readonly processes: PartsView;
  private readonly conntrack: CellTemplate;
  private readonly reports: readonly CollectorReport[];
  /** The closing sample, before and after the word for the state: a sandbox whose shim outlives its VMM is not stopped. */
  private readonly closing = new WeakMap<Instance, readonly [string, string]>();

  constructor(
    private readonly tables: Tables,
    private readonly collection: Collection,
    private readonly host: Host,
  ) {
    const byPlace = new Map(tables.instances.columns.map((column) => [column.metric.json, column]));
    for (const field of HYPEMAN_FIELDS) {
      const column = byPlace.get(field);
      if (!column) throw new Error(`no collector declares ${field}`);
      this.top.text(`,"${field}":`);
      this.top.cell(column);
    }
    this.vcpus = byPlace.get('allocated_vcpus');
    this.groups = groupTemplates(tables.instances.columns, OPTIONAL);
    this.interfaceOutcome = tables.interfaces.columns.find(({ metric }) => metric.json === 'outcome');
    this.interfaceColumns = tables.interfaces.columns.filter((column) => column !== this.interfaceOutcome);
    this.interfaceRows = new RowsByParent(tables.interfaces);
    this.shim = new ShimView(tables);
    this.vmm = new VmmView(tables, collection.sampler.states, this.groups.get('vmm'));
    this.limits = new LimitsView(tables, collection.sampler.states);
    this.switchPorts = new PartsView(tables, 'switchPorts', collection.sampler.states, switchPort);
    this.processes = new PartsView(tables, 'tracedProcesses', collection.sampler.states, tracedProcess);
    this.conntrack = memberTemplate(tables.instances.columns, 'network.conntrack');
    this.reports = collection.sampler.states.map(reportOf);
    collection.onEnd = (instance) => this.closing.set(instance, this.parts(instance, 'back'));
  }

  /** The document of one instance as JSON text. @param windowSeconds for its rates; without it they are over the last two sweeps */
  json(instance: Instance, windowSeconds?: number): string {
    const closing = instance.row < 0 ? this.closing.get(instance) : undefined;
    if (closing) return closing.join(instance.state);
    if (windowSeconds !== undefined) return this.render(instance, 'front', windowSeconds);
    const { sequence } = this.collection.last;
    const known = this.cache[instance.row];
    if (known && known.instance === instance && known.sequence === sequence) return known.json;
    const json = this.render(instance, 'front');
    this.cache[instance.row] = { instance, sequence, json };
    return json;
  }

  /** Documents of many instances, in pieces; call inside `collection.read`. */
  async *documents(instances: Iterable<Instance>, windowSeconds?: number): AsyncIterable<string> {
    const slicer = new Slicer(this.host.clock);
    for (const instance of instances) {
      yield this.json(instance, windowSeconds);
      const pause = slicer.pause();
      if (pause) await pause;
    }
  }

  private render(instance: Instance, generation: Generation, windowSeconds?: number): string {
    return this.parts(instance, generation, windowSeconds).join(instance.state);
  }

  private parts(instance: Instance, generation: Generation, windowSeconds?: number): [string, string] {
    const { id, name, row, hypervisor, sources, generation: born } = instance;
    const { vmm } = this;
    const ended = generation === 'back' || instance.endedMs !== null;
    const collectedMs = instance.sampledMs ?? this.collection.last.startedMs;
    return [
      `{"instance_id":${JSON.stringify(id)},"instance_name":${JSON.stringify(name)}${this.top.render(row, generation)}` +
        `,"hypervisor":"${hypervisor}","state":"`,
      `","source":${JSON.stringify(sources[0])}` +
        `,"generation":${born},"collected_at":${JSON.stringify(timestamp(collectedMs))},"started_at":${JSON.stringify(timestamp(instance.startedMs))}` +
        `,"cpu":{${this.group('cpu', row, generation)},"vcpus":${vmm.list('vcpus', instance, generation)}}` +
        `,"memory":{${this.group('memory', row, generation)}},"disks":${vmm.list('disks', instance, generation)}` +
        `,"network":{"interfaces":[${this.interfaces(instance, generation)}],"devices":${vmm.list('vnics', instance, generation)}` +
        `,"switch_ports":${this.switchPorts.list(instance, generation)},"conntrack":${this.conntrack.orNull(row, generation)}}` +
        `,"process":{${this.group('process', row, generation)}},"limits":${this.limits.json(instance, generation)}` +
        `,"pressure":${this.orNull('pressure', row, generation)},"vmm":${vmm.vmm(instance, generation)},"exits":${vmm.exits(instance, generation)}` +
        `,"migration":${this.orNull('migration', row, generation)},"events":${this.events(instance, generation)}` +
        `,"degraded":${vmm.degraded(instance, generation)},"shim":${this.shim.json(instance, generation)}` +
        `,"rates":${ended ? 'null' : this.rates(instance, windowSeconds)},"collectors":{${this.collectors(instance, generation)}}}`,
    ];
  }

  private group(word: string, row: number, generation: Generation): string {
    return this.groups.get(word)?.render(row, generation) ?? '';
  }

  private orNull(word: string, row: number, generation: Generation): string {
    return this.groups.get(word)?.orNull(row, generation) ?? 'null';
  }

  /** What the VMM told, and what was counted of the processes; null where neither is known. */
  private events(instance: Instance, generation: Generation): string {
    const { row } = instance;
    const processes = this.processes.list(instance, generation);
    if (processes === 'null' && this.groups.get('events')?.isFilled(row, generation) !== true) return 'null';
    return `{${this.group('events', row, generation)},"processes":${processes}}`;
  }

  private rates(instance: Instance, windowSeconds?: number): string {
    const rates = this.collection.rates(instance, windowSeconds);
    if (!rates) return 'null';
    let json = `{"window_seconds":${round(rates.windowSeconds)}`;
    for (const [word, perSecond] of rates.perSecond) json += `,"${word}":${perSecond === null ? 'null' : round(perSecond)}`;
    const cores = rates.perSecond.get(CORES);
    const vcpus = this.vcpus?.front[instance.row];
    const utilization = cores !== null && cores !== undefined && vcpus !== undefined && vcpus > 0 ? round(cores / vcpus) : 'null';
    return `${json},"${UTILIZATION}":${utilization}}`;
  }

  /**
   * Those that concern the instance. Seconds of the last turn; age of the value at the time of the sweep, which is 0 for what every sweep
   * reads.
   */
  private collectors(instance: Instance, generation: Generation): string {
    const { row } = instance;
    const now = this.collection.last.startedAt;
    let json = '';
    for (const { opening, concerns, cells } of this.reports) {
      if (concerns?.(instance, generation) === false) continue;
      const { outcome, seconds, at } = cells;
      // An instance without a row has no process.
      const words = outcomeWords(row < 0 ? Outcome.gone : outcome[generation][row]);
      const age = (now - at[generation][row]) / 1000;
      json += `${json === '' ? '' : ','}${opening}${words.outcome}"`;
      if (words.reason !== undefined) json += `,"reason":"${words.reason}"`;
      const spent = seconds[generation][row];
      json += `,"seconds":${Number.isFinite(spent) ? round(spent) : 'null'},"age_seconds":${Number.isFinite(age) ? round(Math.max(0, age)) : 'null'}}`;
    }
    return json;
  }

  private interfaces(instance: Instance, generation: Generation): string {
    if (instance.row < 0) return '';
    return this.interfaceRows
      .of(instance, generation)
      .map((row) => this.interface(instance, row, generation))
      .join(',');
  }

  private interface(instance: Instance, row: number, generation: Generation): string {
    const key = this.tables.interfaces.key(row);
    const nic = key ? instance.nics?.[key.place] : undefined;
    const words = outcomeWords(this.interfaceOutcome?.[generation][row] ?? Number.NaN);
    const text = (value: string | undefined): string => (value === undefined ? 'null' : JSON.stringify(value));
    let json = `{"name":${text(nic?.name)},"kind":${text(nic?.kind)},"mac":${text(nic?.mac)},"outcome":"${words.outcome}"`;
    if (words.reason !== undefined) json += `,"reason":"${words.reason}"`;
    for (const column of this.interfaceColumns) json += `,"${column.metric.json}":${cell(column, row, generation)}`;
    return `${json},"host_mac":${text(key?.words?.hostMac)},"bridge":${text(key?.words?.bridge)}}`;
  }
}

const word = (value: string | number | undefined): string => (value === undefined ? 'null' : JSON.stringify(value));
const switchPort = ({ name, words }: PartKey): string =>
  `"port":${JSON.stringify(name)},"bridge":${word(words?.bridge)},"interface":${word(words?.interface)},"ofport":${word(words?.ofPort)}` +
  `,"vlan":${word(words?.vlan)},"iface_id":${word(words?.ifaceId)}`;

const tracedProcess = ({ name }: PartKey): string => `"process_name":${name === '' ? 'null' : JSON.stringify(name)}`;

/** Nine significant digits: measured quotients have no more. */
const round = (value: number): string => String(Number(value.toPrecision(9)));
