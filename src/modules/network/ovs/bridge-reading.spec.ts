import { describe, expect, it } from 'vitest';
import { aBridge, anInterface, aPort, COUNTERS } from '../../../../test/switch-port.js';
import { bridgePlan } from './bridge-plan.js';
import { type Answers, bridgeReading, MAX_METERS, MAX_PORTS, portOf, tableName } from './bridge-reading.js';
import type { OvsBridge, OvsInterface } from './database.js';
import { isOnePathPart } from './switch-socket.js';

const bridgeOf = (...interfaces: readonly OvsInterface[]): OvsBridge =>
  aBridge(
    'br-int',
    interfaces.map((one) => aPort(one)),
  );
const table = (id: number, name: string, active: number) => ({ id, name, active, lookups: 0, matches: 0 });
const answers = (more: Partial<Answers>): Answers => ({ tables: [], ports: [], meters: null, aggregate: null, ...more });
const counted = (number: number) => ({ number, ...COUNTERS });

describe('bridgeReading', () => {
  it('shows the tables that have a name or a flow', () => {
    const tables = [table(7, 'table7', 0), table(3, 'table3', 2), table(1, 'Spoof', 0), table(2, '', 0), table(0, '', 1)];
    const reading = bridgeReading(answers({ tables }), bridgeOf(), bridgeOf(), 5);
    expect(reading.tables.map((one) => [one.id, tableName(one)])).toEqual([
      [0, 'table0'],
      [1, 'Spoof'],
      [3, 'table3'],
    ]);
    expect(reading.at).toBe(5);
  });

  it('knows a port by the number that the database gives it', () => {
    const [tap, vhost] = [anInterface('tap0'), anInterface('vhu0', { ofPort: 4, ifIndex: null, type: 'dpdkvhostuserclient' })];
    const bridge = bridgeOf(tap, vhost, anInterface('new', { ofPort: null }), anInterface('silent', { ofPort: 9 }));
    const reading = bridgeReading(answers({ ports: [counted(3), counted(4), counted(8)] }), bridge, bridge, 0);
    expect([...reading.ports.keys()]).toEqual(['tap0', 'vhu0']);
    expect(portOf(reading, tap)?.counters).toEqual(counted(3));
  });

  it.each([
    ['another number', { ofPort: 5 }],
    ['another device', { ifIndex: 34 }],
    ['no device', { ifIndex: null }],
  ])('gives nothing of a port that got %s while the switch answered', (_, change) => {
    const [before, after] = [anInterface('tap0'), anInterface('tap0', change)];
    const reading = bridgeReading(answers({ ports: [counted(3), counted(5)] }), bridgeOf(before), bridgeOf(after), 0);
    expect(reading.ports.size).toBe(0);
    // Nor of one that changed since.
    expect(portOf(bridgeReading(answers({ ports: [counted(3)] }), bridgeOf(before), bridgeOf(before), 0), after)).toBeUndefined();
  });

  it('gives nothing of a kernel device that the database has no index of: it may be its name’s next device already', () => {
    const bridge = bridgeOf(anInterface('tap0', { ifIndex: null }), anInterface('tap1', { ifIndex: null, ofPort: 5, type: 'system' }));
    const reading = bridgeReading(answers({ ports: [counted(3), counted(5)] }), bridge, bridge, 0);
    expect([...reading.ports.keys()]).toEqual([]);
  });

  it('gives nothing of a port that came while the switch answered', () => {
    const reading = bridgeReading(answers({ ports: [counted(3)] }), bridgeOf(), bridgeOf(anInterface('tap0')), 0);
    expect(reading.ports.size).toBe(0);
  });

  it('bounds ports and meters and says how many are left out', () => {
    const meters = Array.from({ length: MAX_METERS + 2 }, (_, i) => ({ id: 9999 - i, flows: 0, packets: 0, bytes: 0, bands: [] }));
    const ports = Array.from({ length: MAX_PORTS + 3 }, (_, i) => counted(i));
    const reading = bridgeReading(answers({ meters, ports }), bridgeOf(), bridgeOf(), 0);
    expect(reading.dropped).toEqual({ ports: 3, meters: 2 });
    expect(reading.meters).toHaveLength(MAX_METERS);
    expect(reading.meters?.[0].id).toBe(9999 - MAX_METERS - 1);
  });

  it('tells no meters from a switch that has none', () => {
    expect(bridgeReading(answers({ meters: null }), bridgeOf(), bridgeOf(), 0).meters).toBeNull();
    expect(bridgeReading(answers({ meters: [] }), bridgeOf(), bridgeOf(), 0).meters).toEqual([]);
  });
});

describe('bridgePlan', () => {
  it.each([
    [[], { tables: 1, numbers: 4, hasMonitor: true }],
    [['OpenFlow10', 'OpenFlow15'], { tables: 1, numbers: 6, hasMonitor: true }],
    [['OpenFlow15', 'OpenFlow13', 'OpenFlow10'], { tables: 1, numbers: 6, hasMonitor: true }],
    [['OpenFlow13'], { tables: 4, numbers: 4, hasMonitor: false }],
    [['OpenFlow10'], { tables: 1, numbers: 1, hasMonitor: true }],
    [['OpenFlow11', 'OpenFlow14'], null],
  ])('asks a bridge of %j only in what it accepts', (protocols, plan) => {
    expect(bridgePlan(protocols)).toEqual(plan);
  });
});

describe('isOnePathPart', () => {
  it.each(['br-int', '..x', 'ü'])('takes %j', (name) => expect(isOnePathPart(name)).toBe(true));
  it.each(['', '../etc', 'a/b', '/', 'a\0b', 'x'.repeat(256)])('refuses %j', (name) => expect(isOnePathPart(name)).toBe(false));
});
