import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import { Slicer } from '../../host/slicer.js';
import type { Subject } from '../../model/collector.js';
import { ApiError } from '../../model/errors.js';
import { Tables } from '../../model/tables.js';
import { Collection } from '../collection/collection.js';
import { ClientFamilies } from './client-families.js';
import { chosenRows, declaredFamilies, type FamilyLines, heads, RowLabels } from './family-lines.js';
import type { Format } from './format.js';
import type { OwnFamily } from './own-families.js';
import { Page, PagePool } from './page.js';
import { SelfFamilies } from './self.js';

/** What a scrape asks for; empty means everything. */
export interface Selection {
  /** Groups (collector names, `self`) to print alone, or to leave out. */
  readonly collect?: readonly string[];
  readonly exclude?: readonly string[];
  /** Prefixes of family names. */
  readonly families?: readonly string[];
  /** Only these instances, and nothing about the agent. */
  readonly instances?: ReadonlySet<string>;
}

/** The group of everything the agent says of itself. */
const SELF = 'self';
const END = Buffer.from('# EOF\n');
const SMALL_PAGE_BYTES = 16_384;
/** Reading the clock costs a third of a line; this many lines take about 20 µs. */
const LINES_A_LOOK = 64;

/** A finished page; `release` gives its buffer back, after the answer was sent or given up. */
export interface FinishedPage {
  readonly bytes: Buffer;
  readonly release: () => void;
}

type Part = { readonly name: string; readonly declared: FamilyLines } | { readonly name: string; readonly own: OwnFamily };

/** Prints the tables of the last finished sweep as exposition text: families and samples sorted, one HELP and TYPE per family. */
@Injectable()
export class Exposition {
  private readonly declared: readonly FamilyLines[];
  private readonly labels: RowLabels;
  private readonly pool = new PagePool();

  constructor(
    private readonly tables: Tables,
    private readonly collection: Collection,
    private readonly self: SelfFamilies,
    private readonly client: ClientFamilies,
    private readonly host: Host,
  ) {
    this.declared = declaredFamilies(tables, collection.sampler.states);
    this.labels = new RowLabels(tables);
  }

  /** Names a scrape may put into `collect[]` and `exclude[]`. */
  get groups(): readonly string[] {
    return [...this.collection.sampler.active.map(({ collector }) => collector.about.name), SELF];
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
      // The page of a few instances would wear out the large one that the next scrape of all needs.
      const pooled = !selection.instances;
      const page = new Page(pooled ? this.pool.take() : Buffer.allocUnsafeSlow(SMALL_PAGE_BYTES));
      const slicer = new Slicer(this.host.clock);
      this.labels.update();
      for (const part of await this.parts(selection)) {
        if ('declared' in part) await this.declaredSamples(page, part.declared, format, selection, slicer);
        else await this.ownSamples(page, part.own, format, selection, slicer);
      }
      if (format.openMetrics) page.text(END);
      return { bytes: page.bytes(), release: () => pooled && this.pool.give(page.storage, page.length) };
    });
  }

  private async parts(selection: Selection): Promise<Part[]> {
    const wanted = (group: string, name: string): boolean =>
      (!selection.collect?.length || selection.collect.includes(group)) &&
      !selection.exclude?.includes(group) &&
      (!selection.families?.length || selection.families.some((prefix) => name.startsWith(prefix)));
    const declared = this.declared
      .filter(({ family, group }) => wanted(group, family.name))
      .map((lines): Part => ({ name: lines.family.name, declared: lines }));
    const agent = selection.instances ? [] : await this.client.families();
    const own = [...this.self.families().filter(({ perInstance }) => perInstance || !selection.instances), ...agent]
      .filter(({ name }) => wanted(SELF, name))
      .map((family): Part => ({ name: family.name, own: family }));
    return [...declared, ...own].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  private async declaredSamples(page: Page, lines: FamilyLines, format: Format, { instances }: Selection, slicer: Slicer): Promise<void> {
    const chosen = instances ? ({ id }: Subject): boolean => instances.has(id) : undefined;
    const rows =
      lines.family.identity === 'interface'
        ? chosenRows(this.tables.interfaces, chosen && (({ parent }) => chosen(parent)))
        : chosenRows(this.tables.instances, chosen);
    page.samples(lines.head(format), lines.columns, rows, this.labels.of(lines.family));
    const pause = slicer.pause();
    if (pause) await pause;
  }

  private async ownSamples(page: Page, family: OwnFamily, format: Format, { instances }: Selection, slicer: Slicer): Promise<void> {
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
  }
}
