import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../../test/fake-proc.js';
import { FakeProcess } from '../../../../test/fake-process.js';
import { FakeSubject } from '../../../../test/subject.js';
import { anInterface, anOwnPort, aReading, COUNTERS, type SeenWatch } from '../../../../test/switch-port.js';
import { Outcome } from '../../../model/outcome.js';
import { Tables } from '../../../model/tables.js';
import type { OvsInterface } from './database.js';
import type { OvsObserver } from './observer.js';
import type { OwnPort } from './port-owners.js';
import { SwitchPortsCollector } from './switch-ports.collector.js';

const TAP = anInterface('tap0');

let tables: Tables;
let subject: FakeSubject;
let ports: readonly OwnPort[];
let watch: SeenWatch;
let collector: SwitchPortsCollector;
let dropped: number;
let silence: Outcome | null;
const proc = new FakeProc();
const { clock } = proc;
afterAll(() => proc.close());

beforeEach(() => {
  tables = new Tables();
  subject = new FakeSubject(new FakeProcess());
  watch = { outcome: Outcome.ok, reading: readingOf(TAP) };
  ports = [anOwnPort(TAP, watch)];
  dropped = 0;
  silence = null;
  const observer = {
    owners: { attach: () => undefined, detach: () => undefined, of: () => ports },
    update: () => [],
    get silence() {
      return silence;
    },
    droppedOf: (_: unknown, count: number) => {
      dropped = count;
    },
  };
  // The collector asks it for nothing else.
  collector = new SwitchPortsCollector(tables, proc.host(), observer as unknown as OvsObserver);
  subject.row = tables.instances.add(subject);
});

const readingOf = (iface: OvsInterface, more: Partial<typeof COUNTERS> = {}) => {
  const reading = aReading([iface], { at: clock.ms });
  const { ofPort, ifIndex } = iface;
  return {
    ...reading,
    ports: new Map([[iface.name, { ofPort: ofPort ?? 0, ifIndex, counters: { number: ofPort ?? 0, ...COUNTERS, ...more } }]]),
  };
};

function sweep(): Outcome {
  tables.begin();
  const outcome = collector.collect(subject);
  if (outcome !== Outcome.ok) collector.clear(subject);
  tables.publish();
  return outcome;
}

/** Cells by name and metric, as readers see them. */
function rows(): Readonly<Record<string, Readonly<Record<string, number>>>> {
  const { rows: numbers, keys } = tables.switchPorts.order;
  return Object.fromEntries(
    [...numbers].map((row, i) => [
      keys[i].name,
      Object.fromEntries(tables.switchPorts.columns.map(({ metric, front }) => [metric.json, front[row]])),
    ]),
  );
}

describe('SwitchPortsCollector', () => {
  it('turns the counters of the switch to the side of the guest', () => {
    clock.ms += 250;
    expect(sweep()).toBe(Outcome.ok);
    expect(rows()).toEqual({
      tap0: {
        ...{ rx_bytes: 1200, tx_bytes: 1100, rx_packets: 12, tx_packets: 11, rx_errors: 16, tx_errors: 15, rx_drops: 14, tx_drops: 13 },
        ...{ link: 1, age_seconds: 250 },
      },
    });
    expect(tables.switchPorts.order.keys[0].words).toEqual({ bridge: 'br-int', interface: 'tap0', ofPort: 3 });
  });

  it('grows old until the switch answers again', () => {
    sweep();
    clock.ms += 9000;
    sweep();
    expect(rows().tap0.age_seconds).toBe(9000);
    watch.reading = readingOf(TAP, { rxPackets: 20 });
    sweep();
    expect(rows().tap0).toMatchObject({ age_seconds: 0, tx_packets: 20 });
  });

  it('keeps who is where and nothing else while the switch is gone', () => {
    sweep();
    Object.assign(watch, { outcome: Outcome.gone, reading: null });
    expect(sweep()).toBe(Outcome.gone);
    expect(Object.values(rows().tap0).every(Number.isNaN)).toBe(true);
    expect(tables.switchPorts.order.keys[0].words).toMatchObject({ bridge: 'br-int' });
  });

  it('says that a switch is gone whose last answer was good and whose connection ended', () => {
    Object.assign(watch, { outcome: Outcome.ok, reading: null });
    expect(sweep()).toBe(Outcome.gone);
  });

  it('gives no counters that were of another device under the name', () => {
    ports = [anOwnPort(anInterface('tap0', { ifIndex: 99 }), watch)];
    expect(sweep()).toBe(Outcome.ok);
    expect(rows().tap0.rx_bytes).toBeNaN();
  });

  it('never goes back when the device is made anew', () => {
    sweep();
    const again = anInterface('tap0', { ifIndex: 44 });
    ports = [anOwnPort(again, { outcome: Outcome.ok, reading: readingOf(again, { rxBytes: 7 }) })];
    sweep();
    expect(rows().tap0).toMatchObject({ tx_bytes: 1107, rx_bytes: 2400 });
    // The numbers of the switch are the device's: another number of its own changes nothing.
    const renumbered = anInterface('tap0', { ifIndex: 44, ofPort: 8 });
    ports = [anOwnPort(renumbered, { outcome: Outcome.ok, reading: readingOf(renumbered, { rxBytes: 8 }) })];
    sweep();
    expect(rows().tap0).toMatchObject({ tx_bytes: 1108, rx_bytes: 2400 });
  });

  it('knows nothing of what the switch does not count, and of a link nobody sees', () => {
    const iface = anInterface('vhu0', { linkState: null, ifIndex: null });
    ports = [anOwnPort(iface, { outcome: Outcome.ok, reading: readingOf(iface, { rxErrors: null, txBytes: null }) })];
    sweep();
    expect(rows().vhu0).toMatchObject({ tx_errors: Number.NaN, rx_bytes: Number.NaN, link: Number.NaN, tx_bytes: 1100 });
  });

  it('calls a port what those call it who plugged it in', () => {
    const ids = new Map([['iface-id', 'port-uuid']]);
    const [port] = [anOwnPort(anInterface('vif', { externalIds: ids }))];
    ports = [{ ...port, evidence: 'id' }];
    sweep();
    expect(tables.switchPorts.order.keys[0].words).toEqual({ bridge: 'br-int', ofPort: 3, ifaceId: 'port-uuid' });
    const pod = new Map([
      ['pod-name', 'web'],
      ['pod-namespace', 'shop'],
    ]);
    ports = [{ ...port, evidence: 'id', place: { ...port.place, iface: TAP, port: { ...port.place.port, tag: 7, externalIds: pod } } }];
    sweep();
    expect(tables.switchPorts.order.keys[0].words).toEqual({ bridge: 'br-int', ofPort: 3, vlan: 7, ifaceId: 'shop/web' });
  });

  it('says why ports are not known any more, to an instance that had some', () => {
    silence = Outcome.timeout;
    ports = [];
    expect(collector.concerns(subject)).toBe(false);
    ports = [anOwnPort(TAP, watch)];
    sweep();
    ports = [];
    expect([collector.concerns(subject), sweep(), rows()]).toEqual([true, Outcome.timeout, {}]);
    silence = null;
    expect([collector.concerns(subject), sweep()]).toEqual([false, Outcome.notConfigured]);
  });

  it('concerns nobody without a port, and loses the rows of a port that went', () => {
    expect(collector.concerns(subject)).toBe(true);
    sweep();
    ports = [];
    expect(collector.concerns(subject)).toBe(false);
    tables.begin();
    collector.clear(subject);
    tables.publish();
    expect(rows()).toEqual({});
  });

  it('counts ports beyond 512', () => {
    ports = Array.from({ length: 515 }, (_, i) => anOwnPort(anInterface(`tap${i}`)));
    sweep();
    expect(dropped).toBe(3);
    expect(Object.keys(rows())).toHaveLength(512);
  });

  it('remembers counters of ports that went, and not of more of them than it may have', () => {
    sweep();
    const turn = (names: readonly string[]): void => {
      ports = names.map((name) => anOwnPort(anInterface(name, { ifIndex: 44 })));
      sweep();
    };
    turn(['other']);
    turn(['tap0', 'other']);
    // Both lives of it.
    expect(rows().tap0.tx_bytes).toBe(2200);
    for (let i = 0; i < 1100; i++) turn([`port${i}`, 'other']);
    turn(['tap0', 'other']);
    expect([rows().tap0.tx_bytes, rows().other.tx_bytes]).toEqual([1100, 1100]);
  });

  it('is there without anybody who asks switches', () => {
    const alone = new SwitchPortsCollector(new Tables(), proc.host());
    alone.attach(subject);
    expect([...alone.begin()]).toEqual([]);
    expect(alone.concerns(subject)).toBe(false);
    alone.detach(subject);
  });
});
