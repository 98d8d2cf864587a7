import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Exposure, Identity } from '../../src/model/metric.js';
import { ShimScraper } from '../../src/modules/shim/scraper.js';
import { VOCABULARY } from '../../src/modules/shim/vocabulary.js';
import { Agent } from '../e2e/agent.js';
import { CopiedHost } from '../e2e/copy.js';
import { CACHE, SHOP } from '../e2e/sandboxes.js';
import { rootOf, story } from '../e2e/stories.js';
import { type ParsedFamily, parseStrictly } from '../e2e/strict-exposition.js';
import { FakeProc } from '../fake-proc.js';
import { House } from '../house.js';

/** A row of Kata's own tables of what a shim says. */
interface Row {
  readonly table: string;
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly unit: string;
  /** Values of each label, where the table lists them. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
}

const FACTS = fileURLToPath(new URL('../../fixtures/kata/shim-metrics-table.json', import.meta.url));
/** The document itself, where the checkout stands beside it. */
const SEED = fileURLToPath(new URL('../../../shared/seeds/000_2924114691856949.txt', import.meta.url));

// JSON.parse gives `any`; the next test compares the facts with the document, and this file's other tests use every member.
const { rows } = JSON.parse(readFileSync(FACTS, 'utf8')) as { readonly rows: readonly Row[] };

/**
 * Where we say something else than the table, and why.
 * `signals`: the table has `kata_hypervisor_seccomp` twice; the source of Dragonball calls the second one so.
 * `cpu_id`: a label that the source has and the table forgot.
 */
const RENAMED = (row: Row): string =>
  row.name === 'kata_hypervisor_seccomp' && row.labels.item.includes('sigbus') ? 'kata_hypervisor_signals' : row.name;
const ALSO_LABELLED: Readonly<Record<string, readonly string[]>> = { kata_hypervisor_vcpu: ['cpu_id'] };
const TYPES: Readonly<Record<string, string>> = { GAUGE: 'gauge', IntGauge: 'gauge', COUNTER: 'counter', HISTOGRAM: 'histogram' };
/** The table's units as the last word of a name; percent is none of OpenMetrics' and stands in HELP, as it does upstream. */
const SUFFIX: Readonly<Record<string, RegExp>> = {
  '': /./,
  percent: /^kata_shim_pod_overhead_cpu$/,
  bytes: /_bytes$/,
  seconds: /_seconds(_total)?$/,
  milliseconds: /_milliseconds$/,
};
const LABELS_OF: Readonly<Partial<Record<Identity, readonly string[]>>> = {
  sandbox: ['sandbox_id'],
  sandbox_interface: ['interface', 'sandbox_id'],
  sandbox_vmm_interface: ['interface', 'sandbox_id'],
};

const proc = new FakeProc();
const { tables } = new House(proc.host());
afterAll(() => proc.close());
const exposures: readonly Exposure[] = [...tables.sandboxes.columns, ...tables.sandboxInterfaces.columns].flatMap(
  ({ metric }) => metric.families,
);
const declared = (name: string): readonly Exposure[] => exposures.filter(({ family }) => family.name === name);
const title = (row: Row): string => `${RENAMED(row)}${row.labels.item ? ` (${row.labels.item.length} items)` : ''}`;
const named = rows.map((row) => [title(row), row] as const);
const withoutReader = rows.filter((row) => declared(RENAMED(row)).length === 0);

describe('the table of what a shim says', () => {
  it('has 17 families of the shim and 4 rows of the hypervisor, 17 actions of the shim and 28 of the agent', () => {
    expect(rows.filter(({ table }) => table === 'Kata Shim')).toHaveLength(17);
    expect(rows.filter(({ table }) => table === 'Kata Hypervisor')).toHaveLength(4);
    expect(rows.flatMap(({ labels }) => (labels.action ? [labels.action.length] : []))).toEqual([28, 17]);
    expect(new Set(named.map(([name]) => name)).size).toBe(rows.length);
  });

  if (existsSync(SEED)) {
    it('is the one in the document, row by row', () => {
      expect(rows).toEqual(parseTables(readFileSync(SEED, 'utf8')));
    });
  } else {
    // Nothing is lost without it: the fixture holds the same facts, and they were compared where they were written down.
    process.stderr.write(`left out: comparing ${FACTS} with the document it was taken from, which is not at ${SEED}\n`);
  }
});

describe('our declarations', () => {
  it('are a reader of the host’s, or a shim’s own word, for each row', () => {
    expect(withoutReader.map(RENAMED)).toEqual([
      'kata_shim_agent_rpc_durations_histogram_milliseconds',
      'kata_shim_rpc_durations_histogram_milliseconds',
      'kata_hypervisor_scrape_count',
      'kata_hypervisor_vcpu',
      'kata_hypervisor_seccomp',
      'kata_hypervisor_signals',
    ]);
  });

  it.each(named)('agree with the row %s', (_, row) => {
    const name = RENAMED(row);
    const own = declared(name);
    expect(name).toMatch(SUFFIX[row.unit]);
    if (own.length === 0) {
      expect(VOCABULARY.get(name)).toMatchObject({ type: TYPES[row.type] });
      return;
    }
    const [{ family }] = own;
    expect({ type: family.type, help: family.help }).toEqual({ type: TYPES[row.type], help: row.help });
    const labels = [...new Set(own.flatMap((one) => [...Object.keys(one.labels ?? {}), ...(LABELS_OF[one.family.identity] ?? [])]))].sort();
    expect(labels).toEqual(Object.keys(row.labels).sort());
    expect(own.map((one) => one.labels?.item ?? '').sort()).toEqual([...(row.labels.item ?? [''])].sort());
    expect(VOCABULARY.get(name)?.type ?? TYPES[row.type]).toBe(TYPES[row.type]);
  });

  it('give VMMs and virtiofsd the items that the table has for the shim', () => {
    const itemsOf = (name: string): string[] => declared(name).map(({ labels }) => labels?.item ?? '');
    for (const word of ['io_stat', 'proc_stat', 'proc_status']) {
      for (const role of ['hypervisor', 'virtiofsd']) expect(itemsOf(`kata_${role}_${word}`)).toEqual(itemsOf(`kata_shim_${word}`));
    }
    expect(itemsOf('kata_hypervisor_netdev')).toEqual(itemsOf('kata_shim_netdev'));
  });
});

describe('a page', () => {
  let families: ReadonlyMap<string, ParsedFamily>;
  let openMetrics: ReadonlyMap<string, ParsedFamily>;

  beforeAll(async () => {
    const agent = await Agent.start(rootOf(story(SHOP.story)));
    // More than any collector waits for its next turn.
    await agent.sweep(8, 10_000);
    families = parseStrictly(await agent.text('/metrics'), 'text');
    openMetrics = parseStrictly(await agent.text('/metrics', { accept: 'application/openmetrics-text' }), 'openmetrics');
    await agent.stop();
  });

  const read = named.filter(([, row]) => !withoutReader.includes(row));
  it.each(read)('has the row %s with its type, its labels and its items', (_, row) => {
    const family = families.get(row.name);
    expect(family).toMatchObject({ type: TYPES[row.type], help: row.help });
    const samples = family?.samples.filter(({ labels }) => labels.get('sandbox_id') === SHOP.id) ?? [];
    const labels = new Set(samples.flatMap((sample) => [...sample.labels.keys()]));
    expect([...labels].sort()).toEqual([...Object.keys(row.labels), 'cri_name', 'cri_namespace', 'cri_uid'].sort());
    const items = [...new Set(samples.map((sample) => sample.labels.get('item') ?? ''))].sort();
    // No kernel since 4.15 prints VmPMD; a page of one that does is below.
    expect(items).toEqual([...(row.labels.item ?? [''])].filter((item) => item !== 'vmpmd').sort());
  });

  it('keeps names and samples in OpenMetrics', () => {
    for (const [, { name, type }] of read) {
      const own = openMetrics.get(name.replace(/_total$/, ''));
      expect([name, own?.type]).toEqual([name, TYPES[type]]);
      expect(own?.samples.map(({ line }) => line)).toEqual(families.get(name)?.samples.map(({ line }) => line));
    }
  });

  it('has vmpmd where the kernel prints it', async () => {
    const agent = await Agent.start(rootOf(story(CACHE.story)));
    const items = parseStrictly(await agent.text('/metrics'), 'text')
      .get('kata_shim_proc_status')
      ?.samples.map(({ labels }) => labels.get('item'));
    await agent.stop();
    expect(items).toEqual([...(rows.find(({ name }) => name === 'kata_shim_proc_status')?.labels.item ?? [])].sort());
  });
});

describe('a page with what shims say of themselves', () => {
  const hosts = [new CopiedHost(SHOP.story), new CopiedHost(CACHE.story)] as const;
  const servers: Server[] = [];
  let families: ReadonlyMap<string, ParsedFamily>;
  let openMetrics: ReadonlyMap<string, ParsedFamily>;
  const ofVmm = (row: Row): boolean => row.table === 'Kata Hypervisor';

  /** What the shims of one host answer, as one page. */
  async function pages(host: CopiedHost, directory: string, told: readonly Row[]) {
    servers.push(await listen(host.path(directory), told.map(asText).join('')));
    const settings = { shimSocketRuntimes: ['go/qemu', 'rust/dragonball'] };
    const agent = await Agent.start(host.root, { settings });
    await agent.app.get(ShimScraper).settle(30_000);
    await agent.sweep();
    const text = parseStrictly(await agent.text('/metrics'), 'text');
    const open = parseStrictly(await agent.text('/metrics', { accept: 'application/openmetrics-text' }), 'openmetrics');
    await agent.stop();
    return { text, open };
  }

  beforeAll(async () => {
    const go = await pages(
      hosts[0],
      `run/vc/sbs/${SHOP.id}`,
      withoutReader.filter((row) => !ofVmm(row)),
    );
    const dragonball = await pages(hosts[1], `run/kata/${CACHE.id}`, withoutReader.filter(ofVmm));
    const both = (a: ReadonlyMap<string, ParsedFamily>, b: ReadonlyMap<string, ParsedFamily>) =>
      new Map([...a, ...[...b].filter(([name]) => name.startsWith('kata_hypervisor_'))]);
    families = both(go.text, dragonball.text);
    openMetrics = both(go.open, dragonball.open);
  });
  afterAll(() => {
    for (const server of servers) server.close();
    for (const host of hosts) host.remove();
  });

  it.each(withoutReader.map((row) => [title(row), row] as const))(
    'has the row %s with its type, its labels and every value of them',
    (_, row) => {
      const name = RENAMED(row);
      const family = families.get(name);
      expect(family).toMatchObject({ type: TYPES[row.type] });
      const samples = family?.samples ?? [];
      const bounds = row.type === 'HISTOGRAM' ? ['le'] : [];
      const labels = [...Object.keys(row.labels), ...(ALSO_LABELLED[name] ?? []), ...bounds, 'cri_name', 'cri_namespace', 'cri_uid'];
      expect([...new Set(samples.flatMap((sample) => [...sample.labels.keys()]))].sort()).toEqual(labels.sort());
      const word = row.labels.action ? 'action' : 'item';
      expect([...new Set(samples.map((sample) => sample.labels.get(word) ?? ''))].sort()).toEqual([...(row.labels[word] ?? [''])].sort());
      expect(new Set(samples.map((sample) => sample.labels.get('sandbox_id')))).toEqual(new Set([ofVmm(row) ? CACHE.id : SHOP.id]));
      // A counter of that name would have to end in _total there.
      expect(openMetrics.get(name)?.type).toBe(row.type === 'COUNTER' ? 'unknown' : TYPES[row.type]);
    },
  );
});

/** A row as a shim prints it: every value of its labels, and no label of ours. */
function asText(row: Row): string {
  const name = RENAMED(row);
  const word = row.labels.action ? 'action' : 'item';
  const also = (ALSO_LABELLED[name] ?? []).map((label) => `${label}="0"`);
  const series = (row.labels[word] ?? []).map((value) => [...also, `${word}="${value}"`].join());
  const lines = (series.length > 0 ? series : ['']).flatMap((labels) => samplesOf(name, row.type, labels));
  return `# HELP ${name} ${row.help}\n# TYPE ${name} ${TYPES[row.type]}\n${lines.map((line) => `${line}\n`).join('')}`;
}

function samplesOf(name: string, type: string, labels: string): string[] {
  if (type !== 'HISTOGRAM') return [labels === '' ? `${name} 7` : `${name}{${labels}} 7`];
  const buckets = ['1', '512', '+Inf'].map((bound, i) => `${name}_bucket{${labels},le="${bound}"} ${i}`);
  return [...buckets, `${name}_sum{${labels}} 600`, `${name}_count{${labels}} 2`];
}

/** A shim's socket, whose path may be longer than an address. @param directory of the sandbox */
async function listen(directory: string, text: string): Promise<Server> {
  const held = openSync(directory, 'r');
  const server = createServer((_, response) => response.end(text));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(`/proc/self/fd/${held}/shim-monitor.sock`, resolve);
  });
  return server.once('close', () => closeSync(held));
}

/** Rows of the document's tables: Markdown whose last cell is a list of lists in HTML. */
function parseTables(text: string): Row[] {
  const found: Row[] = [];
  let table = '';
  for (const line of text.split('\n')) {
    table = /^### (.+)$/.exec(line)?.[1].trim() ?? table;
    const cells = line.split('|').map((cell) => cell.trim());
    const [metric, type, unit, labels] = cells.slice(-5, -1);
    const [, name, help] = /^`(kata_\w+)`: ?<br> ?(.+)$/.exec(metric ?? '') ?? [];
    if (name !== undefined) found.push({ table, name, help, type: bare(type), unit: bare(unit), labels: parseLabels(labels) });
  }
  return found;
}

const bare = (cell: string): string => cell.replaceAll('`', '');

function parseLabels(html: string): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  let depth = 0;
  let label = '';
  for (const [token, word] of html.matchAll(/<ul>|<\/ul>|<li>`([^`]+)`/g)) {
    if (token === '<ul>') depth++;
    else if (token === '</ul>') depth--;
    else if (depth > 1) found[label].push(word);
    else {
      label = word;
      found[label] = [];
    }
  }
  return found;
}
