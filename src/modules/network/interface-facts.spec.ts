import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { isInterfaceName, readFacts } from './interface-facts.js';

const UP = { ifindex: '7', mtu: '1500', speed: '10000', carrier: '1', carrier_changes: '3', operstate: 'up', address: '02:00:00:00:00:0a' };
const NONE = Number.NaN;

let proc: FakeProc;
beforeEach(() => {
  proc = new FakeProc();
});
afterEach(() => proc.close());

function device(entries: Readonly<Record<string, string>>, name = 'tap0'): void {
  for (const [entry, text] of Object.entries(entries)) proc.write(`sys/class/net/${name}/${entry}`, `${text}\n`);
}
const facts = (name = 'tap0') => readFacts(proc.host(), name);

describe('readFacts', () => {
  it('reads what sysfs says, in our units', () => {
    device({ ...UP, 'queues/rx-0/rps_cpus': '0', 'queues/rx-1/rps_cpus': '0', 'queues/tx-0/xps_cpus': '0', 'brport/path_cost': '2' });
    proc.link('sys/class/net/tap0/master', '../br0');
    expect(facts()).toEqual({
      index: 7,
      mtuBytes: 1500,
      speedBytesPerSecond: 1.25e9,
      carrier: 1,
      carrierChanges: 3,
      queues: 2,
      operstate: 6,
      hostMac: '02:00:00:00:00:0a',
      bridge: 'br0',
    });
  });

  it('knows no bridge of a device whose master is none', () => {
    device(UP);
    proc.link('sys/class/net/tap0/master', '../bond0');
    expect(facts().bridge).toBeUndefined();
  });

  it.each([
    ['-1', '1'],
    ['4294967295', '1'],
    ['10000', '0'],
    ['', '1'],
  ])('knows no speed of %j with carrier %j', (speed, carrier) => {
    device({ ...UP, speed, carrier });
    expect(facts().speedBytesPerSecond).toBeNaN();
  });

  it('knows nothing of what is not said', () => {
    device({ ifindex: '7' });
    expect(facts()).toEqual({
      ...{ index: 7, mtuBytes: NONE, speedBytesPerSecond: NONE, carrier: NONE },
      ...{ carrierChanges: NONE, queues: NONE, operstate: NONE },
    });
  });

  it.each(['x', '-1', '1.5', '18446744073709551615', ' 1', '1 1', '9'.repeat(5000), '\0'])('makes no number of %j', (text) => {
    device(Object.fromEntries(Object.keys(UP).map((entry) => [entry, text])));
    for (const value of Object.values(facts())) expect(value).toBeNaN();
  });

  it('throws where there is no such device', () => {
    expect(() => facts('nobody')).toThrow('ENOENT');
  });
});

describe('isInterfaceName', () => {
  it('lets no name out of its directory', () => {
    for (const name of ['', '.', '..', 'a/b', '../x', 'a\0', 'a b', 'a:b', 'sixteen_bytes_16', 'é'.repeat(8)])
      expect(isInterfaceName(name)).toBe(false);
    for (const name of ['tap0', 'eth0.100', '...', 'fifteen_bytes15', 'tapé']) expect(isInterfaceName(name)).toBe(true);
  });
});
