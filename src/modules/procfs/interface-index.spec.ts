import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, truncations } from '../../../test/kernel-samples.js';
import { parseIndexLine } from './interface-index.js';

const LINE = '422  vgaX            1     0     333300000001';

describe('/proc/net/dev_mcast', () => {
  it('tells index and name of a device', () => {
    expect(parseIndexLine(LINE)).toEqual({ name: 'vgaX', index: 422 });
    expect(parseIndexLine('12345 fifteenbytes_15 1     0     01005e000001')).toEqual({ name: 'fifteenbytes_15', index: 12345 });
  });

  it.each(['tap:0', 'a\u2003b', 'tap\u00e9', '1', '-'])('knows the name %j', (name) => {
    expect(parseIndexLine(`7    ${name} 1     0     333300000001`)).toEqual({ name, index: 7 });
  });

  it('gives the right index or none for every truncation', () => {
    for (const cut of truncations(LINE)) expect([undefined, 422]).toContain(parseIndexLine(cut)?.index);
  });

  it('survives any text, and an index of 2^64-1', () => {
    expect(parseIndexLine(LINE.replace('422', '18446744073709551615'))).toBeUndefined();
    fc.assert(fc.property(anyText, (text) => void parseIndexLine(text)));
  });
});
