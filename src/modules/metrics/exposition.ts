import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import { Slicer } from '../../host/slicer.js';
import { isOfSandboxes } from '../../model/collector.js';
import { ApiError } from '../../model/errors.js';
import type { Identity } from '../../model/metric.js';
import { Settings } from '../../model/settings.js';
import type { Column } from '../../model/table.js';
import { Tables } from '../../model/tables.js';
import { Collection } from '../collection/collection.js';
import { HostCollection } from '../collection/host-collection.js';
import { Upstreams } from '../exposition/upstream-families.js';
import { PassThrough } from '../shim/pass-through.js';
import { ClientFamilies } from './client-families.js';
import { declaredFamilies, type FamilyColumn, type FamilyLines, heads, type OwnName } from './family-lines.js';
import type { Format } from './format.js';
import { type LabelledRows, labelledRows } from './labelled-rows.js';
import type { OwnFamily } from './own-families.js';
import { Page, PagePool } from './page.js';
import { PassedFamilies } from './passed-families.js';
import { type Part, passedPart, type Sheet, withUpstreams } from './passed-parts.js';
import { SelfFamilies } from './self.js';
import { UpstreamPages } from './upstream-pages.js';

/** What a scrape asks for; empty means everything. */
export interface Selection {
  /** Groups (collector names, `self`) to print alone, or to leave out. */
  readonly collect?: readonly string[];
  readonly exclude?: readonly string[];
  /** Prefixes of family names. */
  readonly families?: readonly string[];
  /** Only these instances, and nothing about the agent. */
  readonly instances?: ReadonlySet<string>;
  /** This instance alone, on a page of its own: families of a sandbox as its shim prints them, with its names and without our labels. */
  readonly alone?: string;
}

/** The group of everything the agent says of itself, of what shims say, and of what upstreams say. */
const SELF = 'self';
const SHIM_SOCKET = 'shim_socket';
const UPSTREAMS = 'upstreams';
const END = Buffer.from('# EOF\n');
const SMALL_PAGE_BYTES = 16_384;
/** Reading the clock costs a third of a line; this many lines take about 20 µs. */
const LINES_A_LOOK = 64;

/** A finished page; `release` gives its buffer back, after the answer was sent or given up. */
export interface FinishedPage {
  readonly bytes: Buffer;
  readonly release: () => void;
}

/** A collector that concerns some instances only. */
interface OccasionalGroup {
  readonly group: string;
  readonly outcome: Column;
}

/** Prints the tables of the last finished sweep as exposition text: families and samples sorted, one HELP and TYPE per family. */
@Injectable()
export class Exposition {
  private readonly declared: readonly FamilyLines[];
  private readonly rows: Readonly<Record<Identity, LabelledRows>>;
  private readonly passed: PassedFamilies;
  private readonly upstream: UpstreamPages | undefined;
  private readonly pool = new PagePool();
  private readonly occasional: readonly OccasionalGroup[];

  constructor(
    private readonly tables: Tables,
    private readonly collection: Collection,
    private readonly self: SelfFamilies,
    private readonly client: ClientFamilies,
    private readonly host: Host,
    { kataCriLabels, kataProcStatusUnit }: Settings,
    @Optional() passThrough?: PassThrough,
    @Optional() private readonly ofHost?: HostCollection,
    @Optional() upstreams?: Upstreams,
  ) {
    this.declared = declaredFamilies(tables, collection.sampler.states, kataProcStatusUnit === 'kib');
    this.rows = labelledRows(tables, kataCriLabels);
    this.occasional = collection.sampler.states
      .filter(({ collector }) => collector.concerns && !isOfSandboxes(collector))
      .map(({ collector, outcome }) => ({ group: collector.about.name, outcome }));
    const ours = this.declared.map(({ family }) => family);
    const oursAlone = this.declared.map(({ family, own }) => ({ ...family, name: own?.name ?? family.name }));
    this.passed = new PassedFamilies(passThrough, ours, oursAlone);
    if (upstreams && upstreams.configured.length > 0) this.upstream = new UpstreamPages(upstreams, ours);
  }

  /** Names a scrape may put into `collect[]` and `exclude[]`. */
  get groups(): readonly string[] {
    const states = [...this.collection.sampler.active, ...(this.ofHost?.active ?? [])];
    return [...new Set([...states.map(({ collector }) => collector.about.name), SELF, ...(this.upstream ? [UPSTREAMS] : [])])];
  }

  /** @throws ApiError invalid_request for an unknown group, or for both lists at once */
  check({ collect, exclude }: Selection): void {
    if (collect?.length && exclude?.length) throw new ApiError('invalid_request', 'collect[] and exclude[] do not go together');
    for (const group of [...(collect ?? []), ...(exclude ?? [])]) {
      if (!this.groups.includes(group))
        throw new ApiError('invalid_request', `unknown group ${JSON.stringify(group.slice(0, 64))}; there are ${this.groups.join(', ')}`);
    }
  }

  /** One page of one sweep, in slices. The sweep after it waits for the page. */
  page(format: Format, selection: Selection): Promise<FinishedPage> {
    return this.collection.read(async () => {
      const instances = selection.alone === undefined ? selection.instances : new Set([selection.alone]);
      // The page of a few instances would wear out the large one that the next scrape of all needs.
      const pooled = !instances;
      const page = new Page(pooled ? this.pool.take() : Buffer.allocUnsafeSlow(SMALL_PAGE_BYTES));
      const sheet: Sheet = { page, format, slicer: new Slicer(this.host.clock), instances };
      for (const rows of Object.values(this.rows)) rows.update();
      for (const part of await this.parts(selection, sheet)) await part.print(sheet);
      if (format.openMetrics) page.text(END);
      return { bytes: page.bytes(), release: () => pooled && this.pool.give(page.storage, page.length) };
    });
  }

  /** Filters are asked before anything is done for a family. */
  private async parts({ collect, exclude, families, alone }: Selection, { instances, format }: Sheet): Promise<Part[]> {
    const group = (name: string): boolean => (!collect?.length || collect.includes(name)) && !exclude?.includes(name);
    const named = (name: string): boolean => !families?.length || families.some((prefix) => name.startsWith(prefix));
    const idle = this.idleGroups();
    const declared = this.declared
      .filter((lines) => !this.rows[lines.family.identity].empty && group(lines.group) && ![...lines.owners].every((one) => idle.has(one)))
      .map((lines) => (alone !== undefined && lines.own ? this.bare(lines, lines.own, alone) : this.full(lines)));
    const ofHost = instances === undefined ? (this.ofHost?.active ?? []) : [];
    const host = ofHost.filter(({ collector }) => group(collector.about.name)).flatMap(({ collector }) => collector.families());
    const self = group(SELF) ? await this.ownFamilies(instances !== undefined) : [];
    const passed = group(SHIM_SOCKET) ? (alone === undefined ? this.passed.all() : this.passed.own(alone)) : [];
    const own = [...host, ...self];
    const upstream = instances === undefined && group(UPSTREAMS) ? this.upstream : undefined;
    const parts = [
      ...declared,
      ...own.filter((family) => !upstream?.replaces(family)).map((family) => this.own(family)),
      ...passed.map(passedPart),
    ].filter(({ name }) => named(name));
    upstream?.meet(own);
    const told = (upstream?.families(this.passed.all()) ?? []).filter(({ passed: { name } }) => named(name));
    return withUpstreams(parts, format.openMetrics ? told.filter(({ isTextOnly }) => !isTextOnly) : told).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    );
  }

  /** Collectors that concern no instance: a page of many VMs that nobody asks pays nothing for what VMMs tell. */
  private idleGroups(): ReadonlySet<string> {
    const { rows } = this.tables.instances.order;
    const isIdle = ({ isAsleep, front }: Column): boolean => isAsleep || rows.every((row) => Number.isNaN(front[row]));
    return new Set(this.occasional.filter(({ outcome }) => isIdle(outcome)).map(({ group }) => group));
  }

  private async ownFamilies(ofInstancesOnly: boolean): Promise<OwnFamily[]> {
    const self = this.self.families();
    return ofInstancesOnly ? self.filter(({ perInstance }) => perInstance) : [...self, ...(await this.client.families())];
  }

  private full({ family: { name, identity }, columns, withoutSandboxes, head }: FamilyLines): Part {
    const print = async ({ page, format, slicer, instances }: Sheet): Promise<void> => {
      const { labels } = this.rows[identity];
      const rows = this.rows[identity].rows(instances);
      const [{ column, words }] = columns;
      if (words) page.words(head(format), column, words, rows, labels);
      else page.samples(head(format), awake(this.rows.sandbox.empty ? withoutSandboxes : columns), rows, labels);
      const pause = slicer.pause();
      if (pause) await pause;
    };
    return { name, print };
  }

  private bare({ family: { identity }, columns }: FamilyLines, { name, head }: OwnName, instance: string): Part {
    const print = async ({ page, format }: Sheet): Promise<void> => {
      let headed = false;
      for (const { row, labels } of this.rows[identity].bare(instance)) {
        for (const { column, fixed, decimals } of columns) {
          const value = column.front[row];
          if (Number.isNaN(value)) continue;
          if (!headed) page.text(head(format));
          headed = true;
          const words = [labels, fixed].filter((word) => word !== '').join();
          page.cell(Buffer.from(words === '' ? `${name} ` : `${name}{${words}} `), value, decimals);
        }
      }
    };
    return { name, print };
  }

  private own(family: OwnFamily): Part {
    const print = async ({ page, format, slicer, instances }: Sheet): Promise<void> => {
      let headed = false;
      let written = 0;
      const opening = Buffer.from(`${family.name}{`);
      for (const { labels, value, instanceId, suffix } of family.samples()) {
        if (instances && (instanceId === undefined || !instances.has(instanceId))) continue;
        if (!headed) page.text(heads(family)(format));
        headed = true;
        if (typeof labels === 'string') page.line(suffix === undefined ? family.name : family.name + suffix, labels, value);
        else page.keptLine(opening, labels, value);
        if (++written % LINES_A_LOOK !== 0) continue;
        const pause = slicer.pause();
        if (pause) await pause;
      }
    };
    return { name: family.name, print };
  }
}

const awake = (columns: readonly FamilyColumn[]): readonly FamilyColumn[] => columns.filter(({ column }) => !column.isAsleep);
