import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../../test/fake-proc.js';
import { FakeProcess, recordedFiles } from '../../../../test/fake-process.js';
import { FakeSubject } from '../../../../test/subject.js';
import { aBridge, anInterface, aPort } from '../../../../test/switch-port.js';
import type { BridgeWatch } from './bridge-watch.js';
import type { OvsDatabase, OvsInterface } from './database.js';
import { type PlugBoard, PortOwners } from './port-owners.js';

/** Of the recorded process, as `identity` of its files says. */
const HERE = new FakeProcess().open('net/dev').identity();
const TAP = 'exptap0';

const proc = new FakeProc();
afterAll(() => proc.close());

let owners: PortOwners;
beforeEach(() => {
  owners = new PortOwners(proc.host());
});

function board(interfaces: readonly OvsInterface[], more: Partial<PlugBoard> = {}): PlugBoard {
  const bridge = aBridge(
    'br-int',
    interfaces.map((one) => aPort(one)),
  );
  const database: OvsDatabase = { version: null, bridges: [bridge] };
  // Nobody asks it anything here.
  const watch = {} as BridgeWatch;
  return { directory: '/run/openvswitch', database, namespace: HERE, watched: [{ bridge, watch }], ...more };
}

function subjectWith(id: string, more: Partial<FakeSubject> = {}): FakeSubject {
  const subject = Object.assign(new FakeSubject(new FakeProcess(recordedFiles()), id), more);
  owners.attach(subject);
  return subject;
}

const update = (...boards: readonly PlugBoard[]): void => {
  for (const _ of owners.update(boards));
};
const portsOf = (subject: FakeSubject): string[] => owners.of(subject).map(({ place, evidence }) => `${place.iface.name} by ${evidence}`);
const hosts = (): string[] => owners.hostPorts.map(({ place }) => place.iface.name);
const tapOf = (name = TAP) => ({ nics: [{ kind: 'tap' as const, name }] });

describe('PortOwners', () => {
  it('gives an instance the port of its tap, and the host the others', () => {
    const subject = subjectWith('vm-1', tapOf());
    update(board([anInterface(TAP), anInterface('gw0', { type: 'internal' })]));
    expect(portsOf(subject)).toEqual(['exptap0 by device']);
    expect(hosts()).toEqual(['gw0']);
  });

  it('does not take an interface of another network namespace for its own', () => {
    const subject = subjectWith('vm-1', tapOf());
    update(board([anInterface(TAP)], { namespace: 'elsewhere' }));
    expect(portsOf(subject)).toEqual([]);
    update(board([anInterface(TAP)], { namespace: null }));
    expect(portsOf(subject)).toEqual([]);
  });

  it('does not take a name for a device that is not there', () => {
    const subject = subjectWith('vm-1', tapOf('gone0'));
    update(board([anInterface('gone0')]));
    expect(portsOf(subject)).toEqual([]);
  });

  it('knows a sandbox by its id, and a socket whatever run directory it is spelt with', () => {
    const sandbox = subjectWith('kata', { record: { id: 'kata', sandbox: { id: 'ABC', vmmInShim: false } } });
    const vhost = subjectWith('vm-2', { nics: [{ kind: 'vhost-user', socket: '/var/run/openvswitch/vhu1' }] });
    const pod = anInterface('pod-x', { externalIds: new Map([['sandbox', 'abc']]) });
    update(board([pod, anInterface('vhu1', { type: 'dpdkvhostuser' })]));
    expect(portsOf(sandbox)).toEqual(['pod-x by id']);
    expect(portsOf(vhost)).toEqual(['vhu1 by socket']);
  });

  it('hands out the same list until something changed', () => {
    const subject = subjectWith('vm-1', tapOf());
    const same = board([anInterface(TAP)]);
    update(same);
    const before = owners.of(subject);
    update(same);
    expect(owners.of(subject)).toBe(before);
    subject.version++;
    update(same);
    expect(owners.of(subject)).not.toBe(before);
  });

  it('takes nothing of a device that was made anew before its descriptors were looked at again', () => {
    const subject = subjectWith('vm-1', tapOf());
    update(board([anInterface(TAP, { ifIndex: 5 })]));
    update(board([anInterface(TAP, { ifIndex: null })]));
    expect(portsOf(subject)).toEqual(['exptap0 by device']);
    update(board([anInterface(TAP, { ifIndex: 9 })]));
    // It may be another tenant's: not the instance's, and not the host's either.
    expect([portsOf(subject), hosts(), subject.devicesSuspect]).toEqual([[], [], 1]);
    owners.attach(subject);
    update(board([anInterface(TAP, { ifIndex: 9 })]));
    expect(portsOf(subject)).toEqual(['exptap0 by device']);
  });

  it('may pause within every part of a join, and shows what was joined last until it is done', () => {
    const taps = Array.from({ length: 50 }, (_, i) =>
      anInterface(`tap${i}`, { ofPort: i + 1, externalIds: new Map([['vm-id', `vm-${i}`]]) }),
    );
    const subjects = taps.map((_, i) => subjectWith(`vm-${i}`));
    update(board(taps));
    const again = board(taps.slice(0, 49));
    const updating = owners.update([again])[Symbol.iterator]();
    let steps = 0;
    while (!updating.next().done) if (steps++ === 20) expect(portsOf(subjects[49])).toEqual(['tap49 by id']);
    // One for each claim, and one for each port in what is looked at of it.
    expect(steps).toBeGreaterThan(140);
    expect(portsOf(subjects[49])).toEqual([]);
  });

  it('never puts older knowledge in the place of newer, however two updates take turns', () => {
    const one = subjectWith('vm-1', tapOf());
    const slow = owners.update([board([anInterface(TAP)])])[Symbol.iterator]();
    slow.next();
    const newer = board([anInterface('gw0')]);
    update(newer);
    while (!slow.next().done);
    expect([portsOf(one), hosts()]).toEqual([[], ['gw0']]);
    // One that came in the middle has its turn with the next.
    const half = owners.update([board([anInterface(TAP)])])[Symbol.iterator]();
    half.next();
    const later = subjectWith('vm-2');
    while (!half.next().done);
    const ids = new Map([['vm-id', 'vm-2']]);
    update(board([anInterface('x', { externalIds: ids })]));
    expect(portsOf(later)).toEqual(['x by id']);
  });

  it('forgets an instance', () => {
    const subject = subjectWith('vm-1', tapOf());
    const same = board([anInterface(TAP)]);
    update(same);
    owners.detach(subject);
    update(same);
    expect([portsOf(subject), hosts()]).toEqual([[], [TAP]]);
  });

  it('looks at nobody where there is no switch', () => {
    const subject = subjectWith('vm-1', tapOf());
    let looks = 0;
    const process = new FakeProcess();
    process.open = () => {
      looks++;
      throw new Error('nobody looks');
    };
    subject.process = process;
    update(board([], { database: null, watched: [] }));
    expect(looks).toBe(0);
  });

  it('takes a process that may not be looked at for one without devices', () => {
    const process = new FakeProcess();
    process.breakAll(new Error('EACCES'));
    const subject = subjectWith('vm-1', { ...tapOf(), process });
    update(board([anInterface(TAP)]));
    expect(portsOf(subject)).toEqual([]);
  });
});
