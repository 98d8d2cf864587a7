import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { documented as documentedSettings, type Known } from '../../src/config/declarations.js';
import { ERRORS } from '../../src/model/errors.js';
import { OUTCOMES, outcomeWords } from '../../src/model/outcome.js';
import { COLLECTORS } from '../../src/modules/collection/collectors.js';
import { HOST_COLLECTORS } from '../../src/modules/collection/host-collectors.js';
import { SOURCES } from '../../src/modules/instances/sources.js';
import { Agent } from '../e2e/agent.js';
import { STORIES } from '../e2e/stories.js';
import { type ParsedSample, parseExposition } from '../exposition-parser.js';
import { readOpenapi, routesOf } from './openapi.js';
import { complaintsOf, ROOT, readRoot } from './run.js';

const README = readRoot('README.md');
const METRICS = readRoot('docs/metrics.md');
const API = readRoot('docs/api.md');

const between = (text: string, begin: string, end: string): string => {
  expect(text).toContain(begin);
  return text.slice(text.indexOf(begin), text.indexOf(end, text.indexOf(begin)));
};
/** First cells of the rows of a table, without their code marks; the head and its line are not rows. */
const firstCells = (text: string): string[] => [...text.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name);
const unique = (names: Iterable<string>): string[] => [...new Set(names)].sort();

it('the generated documents are what the code says', () => {
  expect(complaintsOf('scripts/docs.mjs', '--check')).toBe('');
});

describe('the metrics', () => {
  /** What the agent says itself on all hosts, by family. */
  const own = new Map<string, ParsedSample[]>();
  beforeAll(async () => {
    for (const one of STORIES) {
      const agent = await Agent.of(one, { settings: { exporterMetrics: true } });
      await agent.sweep(one.sweeps);
      // Without upstreams for those of ours that give way to theirs.
      for (const path of ['/metrics', '/metrics?exclude[]=upstreams']) {
        for (const { name, samples } of parseExposition(await agent.text(path), 'text')) {
          const ours = samples.filter((sample) => !isPassed(sample));
          if (ours.length > 0) own.set(name, [...(own.get(name) ?? []), ...ours]);
        }
      }
      await agent.stop();
    }
  });
  const isPassed = ({ name, labels }: ParsedSample): boolean => 'upstream' in labels && !name.startsWith('vmgauge_upstream_');

  it('of a page are all in docs/metrics.md and in the README', () => {
    const documented = firstCells(between(METRICS, '## Families', '## Collectors'));
    expect(unique(documented)).toEqual(documented);
    expect([...own.keys()].filter((name) => !documented.includes(name))).toEqual([]);
    expect(firstCells(between(README, '<!-- metrics:begin -->', '<!-- metrics:end -->'))).toEqual(documented);
  });

  it('of docs/metrics.md are all on a page of some host, but for those that need what no recorded host has', () => {
    const documented = firstCells(between(METRICS, '## Families', '## Collectors'));
    // A recorded shim answers nobody, and nobody is asked unless somebody says so.
    const asked = documented.filter((name) => name.startsWith('vmgauge_shim_socket_'));
    expect(asked.length).toBeGreaterThan(0);
    // Off by default: they walk page tables.
    const walks = documented.filter((name) => /^vmgauge_vm_memory_(pss|breakdown_|over_allocated)/.test(name));
    // Nothing is traced on a recorded host: what is said of it then stands in test/e2e/latency.spec.ts.
    const traced = [...METRICS.matchAll(/^\| `([^`]+)` \|.*\| (?:latency|tracing|sockets) \| [^|]*\|$/gm)].map(([, name]) => name);
    expect(traced.length).toBeGreaterThan(0);
    const unseen = [...walks, ...asked, ...traced];
    expect(documented.filter((name) => !own.has(name) && !unseen.includes(name))).toEqual([]);
  });

  it('come from the collectors that docs/metrics.md lists', () => {
    const listed = firstCells(between(METRICS, '## Collectors', '## Why'));
    expect(listed).toEqual([...COLLECTORS, ...HOST_COLLECTORS].map(({ about }) => about.name));
  });

  it('are missing for the reasons that docs/metrics.md lists', () => {
    const reasons = OUTCOMES.map(outcomeWords).flatMap(({ reason }) => (reason === undefined ? [] : [reason]));
    expect(firstCells(METRICS.slice(METRICS.indexOf('## Why')))).toEqual(reasons);
  });

  it('have the labels that docs/metrics.md lists', () => {
    const rows = new Map(
      [...METRICS.matchAll(/^\| `([a-z_]+)` \| [a-z]+ \| [a-z]* \| ([^|]*) \|/gm)].map(([, name, labels]) => [name, labels]),
    );
    const documentedLabels = (name: string): string => rows.get(name) ?? rows.get(name.replace(/_(bucket|sum|count)$/, '')) ?? '';
    for (const { name, labels } of [...own.values()].flat()) {
      const printed = Object.keys(labels).sort();
      const listed = [...documentedLabels(name).matchAll(/`([a-z_]+)`/g)].map(([, label]) => label).sort();
      // Of a histogram its sum and its count have no bound.
      const documented = listed.filter((label) => label !== 'le' || name.endsWith('_bucket'));
      expect({ name, labels: printed }).toEqual({ name, labels: documented });
    }
  });
});

describe('the settings', () => {
  it('are exactly those of the README', () => {
    const known: Known = {
      collectors: [...COLLECTORS, ...HOST_COLLECTORS].map(({ about }) => ({ name: about.name, enabled: about.enabled, help: about.reads })),
      sources: SOURCES.map(({ name, enabled, help }) => ({ name, enabled, help })),
    };
    const documented = firstCells(between(README, '<!-- config:begin -->', '<!-- config:end -->'));
    expect(documented.sort()).toEqual(
      documentedSettings(known)
        .map(({ key }) => key)
        .sort(),
    );
  });
});

describe('the API', () => {
  it('has exactly the routes of docs/api.md', () => {
    const routes = routesOf(readOpenapi()).map(({ verb, path }) => `${verb.toUpperCase()} ${path}`);
    expect(firstCells(between(API, '## Routes', '## instances')).sort()).toEqual([...routes].sort());
    const sections = [...API.matchAll(/^### `([^`]+)`$/gm)].map(([, title]) => title);
    expect(sections.sort()).toEqual([...routes].sort());
  });

  it('has exactly the error codes of docs/api.md', () => {
    expect(firstCells(API.slice(API.indexOf('## Errors')))).toEqual(Object.keys(ERRORS));
  });
});

describe('the rooms', () => {
  it('have a README of one screen each', () => {
    const rooms = readdirSync(join(ROOT, 'src/modules')).map((room) => `src/modules/${room}`);
    for (const room of [...rooms, 'src/host', 'src/model']) {
      const path = `${room}/README.md`;
      expect({ path, there: existsSync(join(ROOT, path)) }).toEqual({ path, there: true });
      expect({ path, lines: readRoot(path).split('\n').length }).toEqual({ path, lines: expect.toSatisfy((lines: number) => lines <= 50) });
    }
  });

  it('name no file in their READMEs that is not there', () => {
    const rooms = [...readdirSync(join(ROOT, 'src/modules')).map((room) => `src/modules/${room}`), 'src/host', 'src/model'];
    for (const room of rooms) {
      const files = [...readRoot(`${room}/README.md`).matchAll(/`([a-z][a-z0-9./-]*\.ts)`/g)].map(([, file]) => file);
      const places = [room, 'src', 'src/modules'];
      expect({ room, missing: files.filter((file) => !places.some((place) => existsSync(join(ROOT, place, file)))) }).toEqual({
        room,
        missing: [],
      });
    }
  });
});
