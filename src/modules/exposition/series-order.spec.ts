import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStrictly } from '../../../test/e2e/strict-exposition.js';
import { FORMATS, linesOf, pageOf, readShimText } from '../../../test/shim-reading.js';
import { mergeFamilies } from '../shim/merged-families.js';

const RUNS = 3000;
const pick = <T>(...words: readonly T[]) => fc.constantFrom(...words);
/** Of very different lengths: what is taken back is longer than what follows, or shorter. */
const label = pick('a="1"', 'a="2"', `a="${'3'.repeat(58)}"`, `b="${'4'.repeat(300)}",a="1"`);
const bound = pick('-1', '0.5', '1', '2', '1.0', 'inf', '+Inf', '+Inf', 'x');
const value = pick('0', '1', '1', '2', '3', '1.5', '-1', '+Inf', '1e+06', '+7', 'NaN');
const sample = fc
  .tuple(pick('_bucket', '_bucket', '_bucket', '', '_sum', '_count'), label, pick('le', 'le', 'quantile', ''), bound, value)
  .map(([suffix, labels, name, of, number]) => `kata_agent_h${suffix}{${labels}${name === '' ? '' : `,${name}="${of}"`}} ${number}`);
/** A whole one now and then, so that something is always passed on. */
const whole = fc
  .tuple(label, fc.nat(3), fc.nat(3))
  .map(([labels, low, more]) =>
    [
      `_bucket{${labels},le="1"} ${low}`,
      `_bucket{${labels},le="+Inf"} ${low + more}`,
      `_sum{${labels}} 1`,
      `_count{${labels}} ${low + more}`,
    ]
      .map((line) => `kata_agent_h${line}`)
      .join('\n'),
  );
const other = pick(
  'kata_guest_load{item="x"} 1',
  '# TYPE kata_guest_load gauge',
  'kata_agent_y 1',
  'kata_agent_h_bucket{',
  'kata_agent_h_sum',
);
const text = fc
  .tuple(
    pick('histogram', 'histogram', 'summary'),
    fc.array(fc.oneof({ weight: 6, arbitrary: sample }, { weight: 2, arbitrary: whole }, other), { maxLength: 24 }),
  )
  .map(([type, lines]) => `# TYPE kata_agent_h ${type}\n${lines.join('\n')}\n`);

/** A quantile may be NaN, and what has no type; to the strict parser of our own pages it is none. */
const withoutNaN = (sent: string, page: string): string =>
  sent.startsWith('# TYPE kata_agent_h histogram') ? page : page.replace(/^(kata_agent_h(?:_bucket)?\{.*) NaN$/gm, '$1 0');

describe('histograms and summaries in any order', () => {
  it('come to pages that a strict reader takes, and every line is passed on or counted', () => {
    fc.assert(
      fc.property(text, (sent) => {
        const read = readShimText(sent);
        const { families } = mergeFamilies([read]);
        for (const [name, format] of FORMATS) parseStrictly(withoutNaN(sent, pageOf(families, format)), name);
        const lines = sent.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
        const dropped = Object.values(read.dropped).reduce((sum, count) => sum + count, 0);
        expect([linesOf(families).length, read.series + dropped]).toEqual([read.series, lines.length]);
      }),
      { numRuns: RUNS },
    );
  });
});
