import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { parseStrictly } from '../../../test/e2e/strict-exposition.js';
import { FakeProc } from '../../../test/fake-proc.js';
import { House } from '../../../test/house.js';
import { pageOf } from '../../../test/shim-reading.js';
import { ExpositionParser } from '../exposition/exposition-parser.js';
import type { ScrapedText } from '../exposition/scraped-text.js';
import { OPEN_METRICS, TEXT } from '../metrics/format.js';
import { declaredNames, FamilyRules } from './family-rules.js';
import { mergeFamilies } from './merged-families.js';

const FIXTURES = new URL('../../../fixtures/kata/shims/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, FIXTURES), 'utf8');

const proc = new FakeProc();
afterAll(() => proc.close());
/** The families that the agent's own collectors declare. */
const ours = declaredNames(new House(proc.host()).tables);

function scrape(name: string, id: string, runtime: 'go' | 'rust'): ScrapedText {
  const parser = new ExpositionParser();
  const labels = `sandbox_id="${id}",cri_uid="uid-${id}",cri_name="pod-${id}",cri_namespace="shop"`;
  parser.start(Buffer.from(read(name)), { owner: id, labels, rules: new FamilyRules(runtime, ours, []) });
  while (parser.step(100));
  return parser.finish();
}

describe('the texts of both runtimes', () => {
  const texts = [scrape('go-qemu.txt', 'a', 'go'), scrape('rust-dragonball.txt', 'b', 'rust')];
  const { families, conflicts } = mergeFamilies(texts);

  it('give this page', () => {
    const page = pageOf(families, TEXT);
    if (process.env.UPDATE_GOLDEN === '1') writeFileSync(new URL('merged.txt', FIXTURES), page);
    expect(page).toBe(read('merged.txt'));
    parseStrictly(page, 'text');
    parseStrictly(pageOf(families, OPEN_METRICS), 'openmetrics');
  });

  it('lose what the host tells better, and nothing else', () => {
    const { ours: own, foreign, ...others } = texts[0].dropped;
    expect(own).toBeGreaterThan(20);
    expect([foreign, ...Object.values(others)]).toEqual(
      Object.values(others)
        .map(() => 0)
        .concat(0),
    );
    expect(texts[1].dropped).toMatchObject({ malformed: 0, conflict: 0, ours: 0, label: 0 });
    expect(conflicts.size).toBe(0);
    const names = families.map(({ name }) => name);
    for (const name of names) expect(ours).not.toContain(name);
    for (const name of [
      'kata_shim_rpc_durations_histogram_milliseconds',
      'kata_shim_go_goroutines',
      'kata_guest_meminfo',
      'kata_hypervisor_vcpu',
    ])
      expect(names).toContain(name);
  });
});
