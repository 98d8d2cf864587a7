import { describe, expect, it } from 'vitest';
import type { InstanceRecord } from '../../../model/instance.js';
import { Outcome } from '../../../model/outcome.js';
import { Settings } from '../../../model/settings.js';
import { Doors, doorsOf } from './door.js';

const record = (...sockets: string[]): InstanceRecord => ({ id: 'vm-1', hypervisor: 'qemu', sockets });
const settings = (given: Partial<Settings> = {}): Settings => Object.assign(new Settings(), given);
const OPPORTUNISTIC = settings({ qmpMode: 'opportunistic' });

const RESERVED = '/srv/vms/web1/vmgauge.sock';
const ANY = '/srv/vms/web1/monitor.sock';
/** Where those who keep a VM's only monitor have it. */
const OWNED = [
  '/var/lib/libvirt/qemu/domain-3-web1/monitor.sock',
  '/var/lib/libvirt/qemu/domain-3-web1/vmgauge.sock',
  '/home/me/.config/libvirt/qemu/lib/domain-1-x/monitor.sock',
  '/run/libvirt/qemu/vmgauge.sock',
  '/run/vc/vm/abc/qmp.sock',
  '/run/vc/vm/abc/vmgauge.sock',
  '/var/run/vc/vm/abc/extra-monitor.sock',
  '/run/kata/abc/qmp.sock',
  '/var/lib/hypeman/guests/abc/qemu.sock',
  '/var/lib/hypeman/guests/abc/vmgauge.sock',
  '/data/other/guests/abc/qemu.sock',
  '/run/qemu-server/100.qmp',
  '/run//vc/./vm/abc/vmgauge.sock',
];

describe('the monitors that may be asked', () => {
  it('are those whose name says that they are for us', () => {
    expect(doorsOf(record(ANY, RESERVED, '/srv/a/vmgauge-2.sock'), settings())).toEqual([
      { path: RESERVED, kind: 'reserved' },
      { path: '/srv/a/vmgauge-2.sock', kind: 'reserved' },
    ]);
    expect(doorsOf(record('vmgauge.sock'), settings())).toEqual([{ path: 'vmgauge.sock', kind: 'reserved' }]);
  });

  it.each([
    ['stats.sock', ['stats.sock'], true],
    ['/srv/vms/*/monitor.sock', [ANY], true],
    ['/srv/*/monitor.sock', [ANY], false],
    ['monitor.sock', [ANY], true],
    ['onitor.sock', [ANY], false],
    ['m*', [ANY], true],
    ['.*', [ANY], false],
    ['', [ANY], false],
  ])('are by %j %s or not: %s', (glob, sockets, isReserved) => {
    const doors = doorsOf(record(...sockets), settings({ qmpReserved: [glob] }));
    expect(doors).toEqual(isReserved ? sockets.map((path) => ({ path, kind: 'reserved' })) : Outcome.notConfigured);
  });

  it('are in opportunistic mode all others as well, after the reserved ones', () => {
    expect(doorsOf(record(ANY, RESERVED), OPPORTUNISTIC)).toEqual([
      { path: RESERVED, kind: 'reserved' },
      { path: ANY, kind: 'borrowed' },
    ]);
  });

  it.each(OWNED)('are never %s, whatever is configured', (path) => {
    for (const qmpMode of ['reserved', 'opportunistic'] as const) {
      const greedy = settings({ qmpMode, qmpReserved: [path, '*', 'vmgauge.sock'] });
      expect(doorsOf(record(path), greedy)).toBe(Outcome.notPermitted);
      expect(doorsOf(record(path, RESERVED), greedy)).toEqual([{ path: RESERVED, kind: 'reserved' }]);
    }
  });

  it('are none of hypeman’s, wherever it keeps its data', () => {
    const path = '/srv/hyper/guests/abc/vmgauge.sock';
    expect(doorsOf(record(path), settings({ hypemanDataDir: '/srv/hyper/' }))).toBe(Outcome.notPermitted);
    expect(doorsOf(record(path), settings())).toEqual([{ path, kind: 'reserved' }]);
  });

  it('are none of a Kata sandbox', () => {
    expect(doorsOf({ ...record(RESERVED), sandbox: { vmmInShim: false } }, OPPORTUNISTIC)).toBe(Outcome.notPermitted);
  });

  it('are none where it is switched off, and none where nothing is known or nothing is in the file system', () => {
    expect(doorsOf(record(RESERVED), settings({ qmpMode: 'off' }))).toBe(Outcome.notConfigured);
    expect(doorsOf({ id: 'vm-1' }, OPPORTUNISTIC)).toBe(Outcome.notConfigured);
    expect(doorsOf(record('@vmgauge.sock', ''), OPPORTUNISTIC)).toBe(Outcome.notConfigured);
  });

  it('are remembered as long as record and settings are the same', () => {
    const doors = new Doors();
    const [one, now] = [record(RESERVED), settings()];
    expect(doors.of(one, now)).toBe(doors.of(one, now));
    now.qmpMode = 'off';
    expect(doors.of(one, now)).toBe(Outcome.notConfigured);
    now.qmpMode = 'reserved';
    now.qmpReserved = ['x'];
    expect(doors.of(one, now)).toBe(Outcome.notConfigured);
    expect(doors.of(record(ANY), OPPORTUNISTIC)).toEqual([{ path: ANY, kind: 'borrowed' }]);
  });
});
