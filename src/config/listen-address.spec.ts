import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseListenAddress } from './listen-address.js';

describe('listen addresses', () => {
  it.each([
    ['127.0.0.1:10177', '127.0.0.1', 10177],
    ['127.9.8.7:1', '127.9.8.7', 1],
    ['localhost:0', 'localhost', 0],
    ['LOCALHOST:80', 'LOCALHOST', 80],
    ['[::1]:10177', '::1', 10177],
    ['[0:0:0:0:0:0:0:1]:80', '0:0:0:0:0:0:0:1', 80],
    ['[::ffff:127.0.0.1]:80', '::ffff:127.0.0.1', 80],
  ])('%s is this host only', (text, host, port) => {
    expect(parseListenAddress(text)).toEqual({ kind: 'tcp', host, port, loopback: true });
  });

  it.each([
    [':10177', null, 10177],
    ['0.0.0.0:80', '0.0.0.0', 80],
    ['10.0.0.1:65535', '10.0.0.1', 65535],
    ['[::]:80', '::', 80],
    ['[fe80::1%eth0]:80', 'fe80::1%eth0', 80],
    ['[::ffff:10.0.0.1]:80', '::ffff:10.0.0.1', 80],
    ['metrics.example.org:80', 'metrics.example.org', 80],
    ['localhost.example.org:80', 'localhost.example.org', 80],
  ])('%s can be reached from elsewhere', (text, host, port) => {
    expect(parseListenAddress(text)).toEqual({ kind: 'tcp', host, port, loopback: false });
  });

  it('takes a unix socket for this host', () => {
    expect(parseListenAddress('unix:/run/vmgauge.sock')).toEqual({ kind: 'unix', path: '/run/vmgauge.sock', loopback: true });
  });

  it('takes a socket path of 107 bytes and no longer one', () => {
    expect(parseListenAddress(`unix:/${'a'.repeat(106)}`)).toBeDefined();
    expect(parseListenAddress(`unix:/${'a'.repeat(107)}`)).toBeUndefined();
    expect(parseListenAddress(`unix:/${'ä'.repeat(54)}`)).toBeUndefined();
  });

  it.each([
    '',
    '10177',
    'localhost',
    'localhost:',
    'localhost:65536',
    'localhost:http',
    '::1:10177',
    '[::1]',
    '[::1%]:80',
    '[1.2.3.4]:80',
    '[]:80',
    '[::1/x]:80',
    '127.1:80',
    '256.0.0.1:80',
    'a..b:80',
    '-a:80',
    'a b:80',
    'http://localhost:80',
    'unix:',
    'unix:run/x',
    'unix:/run/x\0y',
    '127.0.0.1:80\n',
  ])('%j is none', (text) => {
    expect(parseListenAddress(text)).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.ipV6().map((ip) => `[${ip}]:1`),
          fc.webAuthority(),
        ),
        (text) => void parseListenAddress(text),
      ),
    );
  });

  it('knows every IPv6 address', () => {
    fc.assert(fc.property(fc.ipV6(), (address) => parseListenAddress(`[${address}]:1`) !== undefined));
  });
});
