import { describe, expect, it } from 'vitest';
import { agentAddress } from './agent-address.js';

describe('the agent that listens on', () => {
  it.each([
    ['127.0.0.1:10177', { host: '127.0.0.1', port: 10177 }, '127.0.0.1:10177'],
    ['localhost:1', { host: 'localhost', port: 1 }, 'localhost:1'],
    ['192.0.2.7:80', { host: '192.0.2.7', port: 80 }, '192.0.2.7:80'],
    ['[2001:db8::7]:80', { host: '2001:db8::7', port: 80 }, '[2001:db8::7]:80'],
    ['[fe80::1%eth0]:80', { host: 'fe80::1%eth0', port: 80 }, '[fe80::1%eth0]:80'],
    ['unix:/run/v.sock', { socketPath: '/run/v.sock' }, 'unix:/run/v.sock'],
  ])('%s is reached there', (listen, target, words) => {
    expect(agentAddress(listen)).toEqual({ target, words });
  });

  it.each([
    [':10177', '127.0.0.1', '127.0.0.1:10177'],
    ['0.0.0.0:10177', '127.0.0.1', '127.0.0.1:10177'],
    ['[::]:10177', '::1', '[::1]:10177'],
    ['[0:0::0]:10177', '::1', '[::1]:10177'],
  ])('every address, %s, is reached on the loopback', (listen, host, words) => {
    expect(agentAddress(listen)).toEqual({ target: { host, port: 10177 }, words });
  });

  it.each(['127.0.0.1:0', ':0', '[::1]:0'])('a port that is another each time, %s, cannot be found', (listen) => {
    expect(agentAddress(listen)).toBeNull();
  });
});
