import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStrictly } from '../../../test/e2e/strict-exposition.js';
import { parseExposition } from '../../../test/exposition-parser.js';
import { FORMATS, pageOf, readShimText } from '../../../test/shim-reading.js';
import { dragonballText, goShimText } from '../../../test/shim-texts.js';
import { labels } from '../../model/labels.js';
import { TEXT } from '../metrics/format.js';
import { mergeFamilies } from '../shim/merged-families.js';
import type { PassedFamily } from './passed-family.js';

const RUNS = 1000;
const OURS = ['kata_shim_threads', 'kata_shim_process_open_fds', 'kata_shim_x_count'];

/** What somebody would write who wants to be taken for another. */
const INJECTIONS = [
  '"} 1\nkata_shim_threads{sandbox_id="s-2',
  '\\"} 1\\nkata_shim_threads 5',
  '",sandbox_id="s-2',
  'a\\',
  '}',
  '{',
  '# TYPE kata_guest_load counter',
  '\u0000',
  'ü\u2028',
  '',
  '1',
  '0.5',
  '+Inf',
];
const NAMES = [
  ...['kata_agent_a', 'kata_agent_a_total', 'kata_agent_a_count', 'kata_agent_a_sum', 'kata_agent_a_bucket', 'kata_guest_load', 'go_a'],
  ...[
    'kata_shim_go_a',
    'process_open_fds',
    'kata_shim_threads',
    'kata_shim_x',
    'node_x',
    'kata_hypervisor_vcpu',
    '__name__',
    'kata_guest_é',
  ],
];
const LABELS = ['item', 'le', 'quantile', 'sandbox_id', 'cri_uid', '__name__', 'instance_id', 'upstream', 'a', 'b', ''];
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped', 'unknown', 'info', ''];
const NUMBERS = [
  '0',
  '1',
  '-1',
  '12.5',
  '1e5',
  '1e999',
  '.5',
  '5.',
  '+Inf',
  '-Inf',
  'NaN',
  '0x1p3',
  '1_0',
  '',
  '1 1700000000000',
  '1 # {} 1',
];

const pick = (words: readonly string[]) => fc.constantFrom(...words);
const label = fc.tuple(pick(LABELS), fc.oneof(pick(INJECTIONS), fc.string({ maxLength: 8 }))).map(([name, value]) => `${name}="${value}"`);
const sample = fc
  .tuple(
    pick(NAMES),
    pick(['', '_bucket', '_sum', '_count', '_total']),
    fc.array(label, { maxLength: 4 }),
    pick(NUMBERS),
    pick([',', ' , ', ',,', ';']),
  )
  .map(([name, suffix, pairs, number, comma]) => `${name}${suffix}{${pairs.join(comma)}} ${number}`);
const comment = fc
  .tuple(pick(['TYPE', 'HELP', 'UNIT']), pick(NAMES), fc.oneof(pick(TYPES), pick(INJECTIONS)))
  .map(([kind, name, rest]) => `# ${kind} ${name} ${rest}`);
const hostileText = fc
  .tuple(
    fc.array(fc.oneof({ weight: 4, arbitrary: sample }, { weight: 1, arbitrary: comment }, fc.string({ maxLength: 40 })), {
      maxLength: 30,
    }),
    fc.boolean(),
  )
  .map(([lines, ends]) => Buffer.from(lines.join('\n') + (ends ? '\n' : '')));
/** A good text with bytes changed, put in and left out. */
const damagedText = fc
  .tuple(
    pick([goShimText(3).slice(0, 2500), goShimText(3).slice(-2500), dragonballText(3).slice(-2500)]),
    fc.array(fc.tuple(fc.nat(2499), fc.nat(40), fc.uint8Array({ maxLength: 4 })), { minLength: 1, maxLength: 8 }),
  )
  .map(([text, wounds]) =>
    wounds.reduce((bytes, [at, cut, put]) => Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)]), Buffer.from(text)),
  );
const anyText = fc.oneof(
  hostileText,
  damagedText,
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
);

const labelsOf = (id: string): Record<string, string> => ({
  sandbox_id: id,
  cri_uid: '',
  cri_name: `pod "${id}"\\ {x} 1`,
  cri_namespace: 'ns',
});

/** Reads a page back, in both formats; NaN is none to the strict parser of our own pages. */
function expectLegal(families: readonly PassedFamily[]): void {
  for (const [name, format] of FORMATS) {
    const page = pageOf(families, format);
    parseExposition(page, name);
    parseStrictly(page.replace(/ NaN$/gm, ' 0'), name);
  }
}

/** Every sample has the labels of the sandbox, once, and whole. */
function expectHis(family: PassedFamily, id: string): void {
  expect(family.bodies.every(({ lines }) => isUtf8(lines))).toBe(true);
  for (const { samples } of parseExposition(pageOf([family], TEXT), 'text')) {
    for (const sample of samples) expect(sample.labels).toMatchObject(labelsOf(id));
  }
}

describe('what strangers send', () => {
  it('gives legal pages, and every line says whose it is', () => {
    fc.assert(
      fc.property(fc.array(anyText, { minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 40 }), (bodies, step) => {
        const texts = bodies.map((body, index) =>
          readShimText(body, { id: `s-${index}`, labels: labels(labelsOf(`s-${index}`)), ours: OURS, step }),
        );
        const { families } = mergeFamilies(texts);
        expectLegal(families);
        for (const family of families) {
          expect(OURS).not.toContain(family.name);
          expect(family.name).toMatch(/^kata_(agent|guest|shim|hypervisor)_/);
          for (const body of family.bodies) expectHis({ ...family, bodies: [body] }, body.owner);
        }
        for (const text of texts) {
          expectLegal(text.own());
          expect(pageOf(text.own(), TEXT)).not.toMatch(/[{,](sandbox_id|cri_\w+)="/);
        }
      }),
      { numRuns: RUNS },
    );
  });
});
