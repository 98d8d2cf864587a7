import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clientKey } from './client-key.js';

describe('who a request counts for', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['::FFFF:10.0.0.7', '10.0.0.7'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8::5', '2001:db8:0:0::/64'],
    ['2001:db8:0:1::', '2001:db8:0:1::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    [undefined, 'unix'],
  ])('%s is %s', (address, key) => {
    expect(clientKey(address)).toBe(key);
  });

  it('is one for all addresses of a /64, and another for each other network', () => {
    const group = fc.integer({ min: 1, max: 0xffff }).map((value) => value.toString(16));
    fc.assert(
      fc.property(fc.array(group, { minLength: 4, maxLength: 4 }), fc.array(group, { minLength: 8, maxLength: 8 }), (network, hosts) => {
        const [one, other] = [hosts.slice(0, 4), hosts.slice(4)];
        expect(clientKey([...network, ...one].join(':'))).toBe(clientKey([...network, ...other].join(':')));
        const neighbour = (Number.parseInt(network[3], 16) ^ 1).toString(16);
        expect(clientKey([...network.slice(0, 3), neighbour, ...one].join(':'))).not.toBe(clientKey([...network, ...one].join(':')));
      }),
    );
  });
});
