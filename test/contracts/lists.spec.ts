import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { PARTS } from '../../src/model/parts.js';
import { Settings } from '../../src/model/settings.js';
import { COLLECTORS } from '../../src/modules/collection/collectors.js';
import { HOST_COLLECTORS } from '../../src/modules/collection/host-collectors.js';
import { DRIVERS } from '../../src/modules/hypervisor/drivers.js';
import { SOURCES } from '../../src/modules/instances/sources.js';
import { ClientFamilies } from '../../src/modules/metrics/client-families.js';
import type { FamilyHead } from '../../src/modules/metrics/format.js';
import { KataFamilies } from '../../src/modules/metrics/kata-families.js';
import { KataMonitor } from '../../src/modules/metrics/kata-monitor.js';
import { PROCESS_METRICS } from '../../src/modules/metrics/process-metrics.js';
import { SelfFamilies } from '../../src/modules/metrics/self.js';
import { FakeProc } from '../fake-proc.js';
import { hostCollectorsOn } from '../host-collectors.js';
import { House } from '../house.js';

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));
const FILES = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.ts') && !/\.(spec|test|d)\.ts$/.test(file),
);

/** What the files of one kind export that are not types. */
async function exportsOf(ending: string): Promise<{ file: string; members: unknown[] }[]> {
  const files = FILES.filter((file) => file.endsWith(ending));
  expect(files.length).toBeGreaterThan(0);
  return Promise.all(files.map(async (file) => ({ file, members: Object.values(await import(join(SRC, file))) })));
}

const proc = new FakeProc();
const house = new House(proc.host());
afterAll(() => proc.close());

const { instances, interfaces, sandboxes, sandboxInterfaces } = house.tables;
const { columns } = house.tables;
/** Names that Kata, Antrea and Podtrace fixed: counters without `_total`, or names that end in what they measure. */
const FIXED_NAMES: ReadonlySet<string> = new Set([
  'kata_shim_pod_overhead_cpu',
  'kata_monitor_scrape_count',
  'kata_monitor_scrape_failed_count',
  'kata_monitor_scrape_durations_histogram_milliseconds',
  'antrea_agent_ovs_flow_ops_count',
  'podtrace_dns_latency_seconds_gauge',
  'podtrace_dns_latency_seconds_histogram',
  'podtrace_fs_latency_seconds_gauge',
  'podtrace_fs_latency_seconds_histogram',
  'podtrace_cpu_block_seconds_gauge',
  'podtrace_cpu_block_seconds_histogram',
  'podtrace_resource_utilization_percent',
]);
const declared = [...new Set(columns.flatMap(({ metric }) => metric.families.map(({ family }) => family)))];
const kata = { name: 'told', list: () => [], directories: { present: true, roots: [] } };
const monitor = new KataMonitor(house.registry, house.host, house.settings);
const ofKata = new KataFamilies(house.tables, monitor, [kata]);
afterAll(() => monitor.onApplicationShutdown());
const self = new SelfFamilies(house.registry, house.collection, house.discovery, house.host, ofKata).families();

const collectorsOfHost = await hostCollectorsOn(proc.host());
afterAll(() => collectorsOfHost.close());
const ofHost = collectorsOfHost.states.flatMap(({ collector }) => collector.families());

/** Every family that a page can show: declared with a column, made for each page, held by the client library. */
async function allFamilies(): Promise<readonly FamilyHead[]> {
  for (const provider of PROCESS_METRICS) if (typeof provider === 'object' && 'useFactory' in provider) await provider.useFactory();
  const client = await new ClientFamilies().families();
  expect(client).toHaveLength(PROCESS_METRICS.length);
  return [...declared, ...self, ...ofHost, ...client];
}

const unique = (words: readonly unknown[]): void => expect(words).toHaveLength(new Set(words).size);

describe('THE LISTS', () => {
  it('collectors: every *.collector.ts exports one class, and it is listed', async () => {
    const files = await exportsOf('.collector.ts');
    for (const { file, members } of files) expect(members, file).toHaveLength(1);
    expect(new Set(files.flatMap(({ members }) => members))).toEqual(new Set(COLLECTORS));
    expect(COLLECTORS).toHaveLength(files.length);
  });

  it('host collectors: every *.host-collector.ts exports one class, and it is listed', async () => {
    const files = await exportsOf('.host-collector.ts');
    for (const { file, members } of files) expect(members, file).toHaveLength(1);
    expect(new Set(files.flatMap(({ members }) => members))).toEqual(new Set(HOST_COLLECTORS));
    expect(HOST_COLLECTORS).toHaveLength(files.length);
  });

  it('collectors of instances and of the host have names of their own', () => {
    unique([...COLLECTORS, ...HOST_COLLECTORS].map(({ about }) => about.name));
  });

  it('drivers: every *.driver.ts exports one driver, and it is listed', async () => {
    const files = await exportsOf('.driver.ts');
    for (const { file, members } of files) expect(members, file).toHaveLength(1);
    expect(new Set(files.flatMap(({ members }) => members))).toEqual(new Set(DRIVERS));
    expect(DRIVERS).toHaveLength(files.length);
    unique(DRIVERS.map(({ name }) => name));
  });

  it('sources: every *.source.ts exports one class, and a listed source is of it and has the listed name', async () => {
    const settings = Object.assign(new Settings(), { registrationTokens: ['t'], registrationFile: '/f', registrationStore: '/s' });
    const made = SOURCES.map(({ name, make }) => {
      const source =
        make({ host: house.host, settings, discovery: house.discovery, checkProcess: () => 'ok' }) ?? expect.fail(`${name} was not made`);
      expect(source.name).toBe(name);
      return source;
    });
    const files = await exportsOf('.source.ts');
    for (const { file, members } of files) {
      const classes = members.filter((member) => typeof member === 'function' && /^class /.test(String(member)));
      expect(classes, file).toHaveLength(1);
      expect(
        made.map((source) => source.constructor),
        file,
      ).toContain(classes[0]);
    }
    expect(made).toHaveLength(files.length);
    unique(SOURCES.map(({ name }) => name));
  });

  it('sources that need a setting are left out without it', () => {
    const made = SOURCES.flatMap(
      ({ make }) => make({ host: house.host, settings: new Settings(), discovery: house.discovery, checkProcess: () => 'ok' }) ?? [],
    );
    expect(made.map(({ name }) => name)).toEqual(['hypeman', 'libvirt', 'kata', 'host']);
  });
});

describe('places in the stats document', () => {
  const places = (metrics: readonly { metric: { json: string; alias?: string } }[]): string[] =>
    metrics.flatMap(({ metric }) => [metric.json, metric.alias ?? '']).filter((place) => place !== '');

  it('are taken once', () => {
    unique(places([...instances.columns, ...sandboxes.columns]));
    unique(places(interfaces.columns));
    unique(places(sandboxInterfaces.columns));
    for (const part of PARTS) unique(places(house.tables[part].columns));
  });

  it('are a value or a group, never both', () => {
    const all = places([...instances.columns, ...sandboxes.columns]);
    for (const place of all) expect(all.filter((other) => other.startsWith(`${place}.`))).toEqual([]);
  });

  it('are words of lower case, with the unit of their families', () => {
    for (const { metric } of columns.filter(({ metric }) => metric.json !== '' && !metric.json.startsWith('collectors.'))) {
      for (const place of [metric.json, metric.alias ?? metric.json])
        expect(place).toMatch(/^[a-z]+\d*(_[a-z]+\d*)*(\.[a-z]+\d*(_[a-z]+\d*)*){0,3}$/);
      for (const { family, suffix } of metric.families)
        if (family.unit !== undefined && suffix !== '_bucket' && suffix !== '_count')
          expect(metric.json).toMatch(new RegExp(`(^|_)${family.unit}$`));
    }
  });

  it('of rates are taken once, and only counters have one', () => {
    const rated = columns.filter(({ metric }) => metric.rate !== undefined);
    unique(rated.map(({ metric }) => metric.rate));
    for (const { metric } of rated) for (const { family } of metric.families) expect(family.type).toBe('counter');
  });
});

describe('families', () => {
  it('have names of their own across the house', async () => {
    unique((await allFamilies()).map(({ name }) => name));
  });

  it('have a known prefix, and words of lower case', async () => {
    for (const { name } of await allFamilies())
      expect(name).toMatch(/^(antrea_agent|hypeman_vm|kata_(shim|hypervisor|virtiofsd|monitor)|podtrace|vmgauge)(_[a-z]+)+$/);
  });

  it('have a sentence of help', async () => {
    for (const { name, help } of await allFamilies()) {
      expect(help, name).toMatch(/^[A-Zv0-9][^\n]+$/);
      if (!name.startsWith('hypeman_')) expect(help, name).toMatch(/\.$/);
    }
  });

  it('end in _total when they are counters, and only then', () => {
    for (const { name, type } of [...declared, ...self, ...ofHost].filter(({ name }) => !FIXED_NAMES.has(name))) {
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
    }
  });

  it('carry their unit as the last word, and every word that is a unit is declared as one', async () => {
    for (const { name, unit } of await allFamilies()) {
      const base = name.replace(/_total$/, '');
      const last = /_(seconds|bytes|ratio)$/.exec(base)?.[1];
      expect(unit, name).toBe(last);
      if (FIXED_NAMES.has(name)) continue;
      expect(base, name).not.toMatch(/_(time|duration|size|cpu|milliseconds|kib|percent|pages|ticks)$/);
    }
  });

  it('are told apart by their labels where several columns make one', () => {
    for (const family of declared.filter(({ name }) => name !== 'vmgauge_collector_success')) {
      const labels = columns.flatMap(({ metric }) =>
        metric.families
          .filter((exposure) => exposure.family === family)
          .map(({ labels = {}, suffix = '' }) => JSON.stringify({ ...labels, ...(suffix === '' ? {} : { suffix }) })),
      );
      unique(labels);
      const keys = new Set(
        labels.map((text) =>
          Object.keys(JSON.parse(text))
            .filter((key) => key !== 'le')
            .join(),
        ),
      );
      expect(keys.size, family.name).toBe(1);
    }
  });

  it('are spelt once in the source', () => {
    const source = FILES.map((file) => readFileSync(join(SRC, file), 'utf8')).join('\n');
    for (const { name } of [...declared, ...self, ...ofHost])
      expect(source.split(new RegExp(`'${name}'`)).length - 1, name).toBeLessThanOrEqual(1);
  });
});
