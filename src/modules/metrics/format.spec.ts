import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExposition } from '../../../test/exposition-parser.js';
import { label, labels } from '../../model/labels.js';
import { acceptsGzip, familyHead, negotiate, OPEN_METRICS, qualityOf, TEXT } from './format.js';

describe('familyHead', () => {
  const counter = { name: 'vm_seconds_total', type: 'counter', help: 'Of "time" \\ and\nmore.', unit: 'seconds' } as const;

  it('is read back by a strict parser in both formats', () => {
    const text = parseExposition(`${familyHead(counter, TEXT)}vm_seconds_total 1\n`, 'text');
    expect(text).toMatchObject([{ name: 'vm_seconds_total', type: 'counter', help: counter.help }]);
    const open = parseExposition(`${familyHead(counter, OPEN_METRICS)}vm_seconds_total 1\n# EOF\n`, 'openmetrics');
    expect(open).toMatchObject([{ name: 'vm_seconds', type: 'counter', unit: 'seconds', help: counter.help }]);
  });

  it('keeps name and type of a counter without _total in 0.0.4, and makes it unknown in OpenMetrics', () => {
    const family = { name: 'old_requests', type: 'counter', help: 'Old.' } as const;
    expect(familyHead(family, TEXT)).toBe('# HELP old_requests Old.\n# TYPE old_requests counter\n');
    expect(familyHead(family, OPEN_METRICS)).toBe('# TYPE old_requests unknown\n# HELP old_requests Old.\n');
  });

  it('has no UNIT that the name does not end in', () => {
    expect(familyHead({ name: 'a', type: 'gauge', help: 'A.', unit: 'bytes' }, OPEN_METRICS)).not.toContain('UNIT');
  });

  it('calls an unknown type as each format does', () => {
    const family = { name: 'a', type: 'unknown', help: 'A.' } as const;
    expect(familyHead(family, TEXT)).toContain('# TYPE a untyped\n');
    expect(familyHead(family, OPEN_METRICS)).toContain('# TYPE a unknown\n');
  });

  it('keeps any help on one line', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('\\', '"', '\n', 'n', 'a', ' ') }), (help) => {
        const head = familyHead({ name: 'a', type: 'gauge', help }, OPEN_METRICS);
        expect(parseExposition(`${head}a 1\n# EOF\n`, 'openmetrics')[0].help).toBe(help);
        expect(parseExposition(`${familyHead({ name: 'a', type: 'gauge', help }, TEXT)}a 1\n`, 'text')[0].help).toBe(help);
      }),
    );
  });
});

describe('labels', () => {
  const read = (rendered: string): unknown =>
    parseExposition(`# HELP a A.\n# TYPE a gauge\na{${rendered}} 1\n`, 'text')[0].samples[0].labels;

  it('are read back by a strict parser, whatever their values hold', () => {
    const unit = fc.constantFrom('\\', '"', '\n', '\r', '\t', '\0', '{', '}', ',', '=', 'n', 'é', '\u2028', '💥', '\ud800', '\udc00');
    fc.assert(
      fc.property(fc.string({ unit }), fc.string({ unit }), (one, two) => {
        expect(read(labels({ one, two }))).toEqual({ one: one.toWellFormed(), two: two.toWellFormed() });
      }),
    );
  });

  it('make a lone surrogate a replacement character', () => {
    expect(label('a', 'x\ud800y')).toBe('a="x\ufffdy"');
  });

  it('stand in the order given, and none give nothing', () => {
    expect(labels({ b: '1', a: '2' })).toBe('b="1",a="2"');
    expect(labels({})).toBe('');
  });
});

describe('negotiate', () => {
  const PROMETHEUS_3 =
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';

  it.each([
    PROMETHEUS_3,
    'application/openmetrics-text',
    'APPLICATION/OpenMetrics-Text ; Version="1.0.0"',
    'text/plain;q=0.5, application/openmetrics-text;q=0.9',
    'application/openmetrics-text;q=0.001',
    'text/plain;q=0, application/openmetrics-text;q=0.1',
  ])('gives OpenMetrics for %s', (accept) => {
    expect(negotiate(accept)).toBe(OPEN_METRICS);
  });

  it.each([
    undefined,
    '',
    '*/*',
    'text/*',
    'text/plain',
    'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
    'application/json',
    'application/openmetrics-text;version=2.0.0',
    'application/openmetrics-text;version=0.0.1',
    'application/openmetrics-text;q=0',
    'application/openmetrics-text;q=0.5,text/plain;q=0.6',
    'application/openmetrics-text;q=nonsense',
    'application/openmetrics-text;q=NaN,*/*;q=0.1',
    'application/openmetrics-text;q=-1',
    ';;;,,,===',
    `${'a,'.repeat(100_000)}application/openmetrics-text`,
    ';q='.repeat(100_000),
  ])('gives 0.0.4 for %.60s', (accept) => {
    expect(negotiate(accept)).toBe(TEXT);
  });

  it('takes the first of two equals', () => {
    expect(negotiate('text/plain,application/openmetrics-text')).toBe(TEXT);
    expect(negotiate('application/openmetrics-text,text/plain')).toBe(OPEN_METRICS);
  });

  it('survives any header', () => {
    fc.assert(fc.property(fc.string(), (accept) => [TEXT, OPEN_METRICS].includes(negotiate(accept))));
  });
});

describe('acceptsGzip', () => {
  it.each(['gzip', 'GZIP', 'gzip, deflate, br', 'br;q=1.0, gzip;q=0.8', '*', 'identity;q=0.5, *;q=0.1', 'gzip;q=0.001'])(
    'takes %s for yes',
    (header) => {
      expect(acceptsGzip(header)).toBe(true);
    },
  );

  it.each([undefined, '', 'identity', 'br', 'gzip;q=0', 'gzip; q=0.0', '*;q=0', 'gzip;q=0, *', 'gzip;q=x', ','.repeat(100_000)])(
    'takes %.30s for no',
    (header) => {
      expect(acceptsGzip(header)).toBe(false);
    },
  );
});

describe('qualityOf', () => {
  it.each([
    [undefined, 1, 1],
    ['', 1, 1],
    ['*/*', 1, 1],
    ['text/html', 1, 0],
    ['text/plain', 0, 1],
    ['text/*;q=0.5', 0.5, 0.5],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 1, 0.8],
    ['text/html;q=0, */*', 0, 1],
    ['text/*;q=0.3, text/plain;q=0.7, */*;q=0.1', 0.3, 0.7],
    ['TEXT/HTML; Q=0.4', 0.4, 0],
    ['application/json', 0, 0],
    ['text/html;q=nonsense', 0, 0],
    [`${'a/b,'.repeat(3000)}text/html`, 0, 0],
  ])('of %j is %d for HTML and %d for plain text', (accept, html, plain) => {
    expect([qualityOf(accept, 'text/html'), qualityOf(accept, 'text/plain')]).toEqual([html, plain]);
  });
});
