import { describe, expect, it } from 'vitest';
import { recordedReturn } from '../../../../test/fake-qmp.js';
import { type Command, encode, type Rights } from './commands.js';

const NONE: Rights = { balloonPolling: false };
const POLLING: Rights = { balloonPolling: true };
const DEVICE = '/machine/peripheral/balloon0';

/** Nothing of its type is believed, so nothing of it is promised here. */
const sends = (command: object, rights: Rights): boolean => {
  try {
    // The point of the test: what the compiler would not let through.
    encode(command as Command, 'id', rights);
    return true;
  } catch {
    return false;
  }
};

const ALLOWED = [
  ...['query-status', 'query-cpus-fast', 'query-memory-size-summary', 'query-balloon', 'query-blockstats', 'query-block'],
  ...['query-stats-schemas', 'query-migrate', 'qmp_capabilities'],
].sort();
const EVERY_COMMAND = (recordedReturn('query-commands') as { name: string }[]).map(({ name }) => name);

describe('commands that can be sent', () => {
  it('are, of all that a QEMU has and without arguments, nine that read', () => {
    expect(EVERY_COMMAND.length).toBeGreaterThan(150);
    for (const rights of [NONE, POLLING]) {
      expect(EVERY_COMMAND.filter((execute) => sends({ execute }, rights)).sort()).toEqual(ALLOWED);
    }
  });

  it('take no arguments that are not theirs, whatever they are', () => {
    for (const execute of EVERY_COMMAND) {
      for (const given of [{}, { 'command-line': 'quit' }, { path: DEVICE, property: 'realized', value: false }, { path: '/' }]) {
        for (const rights of [NONE, POLLING]) expect(sends({ execute, arguments: given }, rights), execute).toBe(false);
      }
    }
    expect(sends({ execute: 'query-status', control: 'x' }, POLLING)).toBe(false);
    expect(sends({ 'exec-oob': 'yank', execute: 'query-status' }, POLLING)).toBe(false);
  });

  it.each([
    [{ execute: 'qom-list', arguments: { path: '/machine/peripheral' } }],
    [{ execute: 'qom-list', arguments: { path: '/machine/peripheral-anon' } }],
    [{ execute: 'qom-get', arguments: { path: DEVICE, property: 'guest-stats' } }],
    [{ execute: 'qom-get', arguments: { path: '/machine/peripheral-anon/device[3]', property: 'guest-stats-polling-interval' } }],
    [{ execute: 'query-stats', arguments: { target: 'vm', providers: [{ provider: 'kvm', names: ['exits'] }] } }],
  ])('are also %j', (command) => {
    expect(sends(command, NONE)).toBe(true);
  });

  it.each([
    [{ execute: 'qom-list', arguments: { path: '/machine' } }],
    [{ execute: 'qom-list', arguments: { path: '/machine/peripheral', property: 'x' } }],
    [{ execute: 'qom-get', arguments: { path: DEVICE, property: 'realized' } }],
    [{ execute: 'qom-get', arguments: { path: '/machine', property: 'guest-stats' } }],
    [{ execute: 'qom-get', arguments: { path: '/machine/peripheral/../unattached', property: 'guest-stats' } }],
    [{ execute: 'query-stats', arguments: { target: 'cryptodev', providers: [] } }],
    [{ execute: 'query-stats', arguments: { target: 'vm', providers: [], vcpus: [] } }],
    [{ execute: 'qom-set', arguments: { path: DEVICE, property: 'realized', value: 1 } }],
    [{ execute: 'qom-set', arguments: { path: '/machine', property: 'guest-stats-polling-interval', value: 1 } }],
    [{ execute: 'qom-set', arguments: { path: DEVICE, property: 'guest-stats-polling-interval', value: 0 } }],
    [{ execute: 'qom-set', arguments: { path: DEVICE, property: 'guest-stats-polling-interval', value: '1' } }],
  ])('are never %j', (command) => {
    expect(sends(command, POLLING)).toBe(false);
  });

  it('change one thing, and that only where the operator allowed it', () => {
    const command = { execute: 'qom-set', arguments: { path: DEVICE, property: 'guest-stats-polling-interval', value: 15 } };
    expect(sends(command, NONE)).toBe(false);
    expect(sends(command, POLLING)).toBe(true);
  });

  it('are one line of JSON with an id of ours', () => {
    expect(encode({ execute: 'query-status' }, 'vmgauge-1', NONE)).toBe('{"execute":"query-status","id":"vmgauge-1"}');
  });
});
