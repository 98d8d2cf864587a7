import { describe, expect, it } from 'vitest';
import { aBridge, anInterface, aPort } from '../../../../test/switch-port.js';
import type { OvsInterface } from './database.js';
import { type Claim, type Evidence, joinPorts, type PortPlace } from './join.js';

const NOTHING: Claim = { devices: [], sockets: [], ids: [], macs: [] };
const MAC = '52:54:00:00:00:01';
const UUID = '11111111-2222-3333-4444-555555555555';

const place = (iface: OvsInterface, portIds: Readonly<Record<string, string>> = {}): PortPlace => {
  const port = aPort(iface, { externalIds: new Map(Object.entries(portIds)) });
  return { iface, port, bridge: aBridge('br-int', [port]) };
};
const withIds = (name: string, ids: Readonly<Record<string, string>>, more: Partial<OvsInterface> = {}): PortPlace =>
  place(anInterface(name, { externalIds: new Map(Object.entries(ids)), ...more }));
/** `vm-1: tap0 by device` for each port that is somebody's. */
function joined(places: readonly PortPlace[], claims: Readonly<Record<string, Partial<Claim>>>): string[] {
  const whole = new Map(Object.entries(claims).map(([id, claim]) => [id, { ...NOTHING, ...claim }]));
  const joining = joinPorts(places, whole);
  let step = joining.next();
  while (!step.done) step = joining.next();
  return [...step.value].flatMap(([id, ports]) =>
    ports.map(({ place: { iface }, evidence }: { place: PortPlace; evidence: Evidence }) => `${id}: ${iface.name} by ${evidence}`),
  );
}

describe('joinPorts', () => {
  it('knows a port by the device that a process holds', () => {
    expect(joined([place(anInterface('tap0')), place(anInterface('tap1'))], { a: { devices: ['tap1'] }, b: {} })).toEqual([
      'a: tap1 by device',
    ]);
  });

  it.each(['internal', 'patch', 'geneve', 'dpdk'])('takes no port of type %s for a device of its name', (type) => {
    expect(joined([place(anInterface('tap0', { type }))], { a: { devices: ['tap0'] } })).toEqual([]);
  });

  it.each(['vm-id', 'vm-uuid', 'sandbox', 'container-id'])('knows a port by %s, at the interface or at the port', (key) => {
    const places = [withIds('one', { [key]: UUID.toUpperCase() }), place(anInterface('two'), { [key]: UUID })];
    expect(joined(places, { a: { ids: [UUID] }, b: { ids: ['other'] } })).toEqual(['a: one by id', 'a: two by id']);
  });

  it.each(['attached-mac', 'attached_mac'])('knows a port by %s where nothing else is told', (key) => {
    expect(joined([withIds('vif0', { [key]: MAC.toUpperCase() })], { a: { macs: [MAC] } })).toEqual(['a: vif0 by mac']);
  });

  it('knows a port of vhost-user by the socket that both sides were given', () => {
    const options = new Map([['vhost-server-path', '/run/vm/a.sock']]);
    const vhost = place(anInterface('vhu0', { type: 'dpdkvhostuserclient', options }));
    expect(joined([vhost], { a: { sockets: ['/run/vm/a.sock'] }, b: { sockets: ['/run/vm/b.sock'] } })).toEqual(['a: vhu0 by socket']);
    expect(joined([place(anInterface('eth0', { type: 'dpdk', options }))], { a: { sockets: ['/run/vm/a.sock'] } })).toEqual([]);
  });

  it('gives several ports to one instance', () => {
    const places = [place(anInterface('tap0')), withIds('tap1', { 'vm-id': UUID })];
    expect(joined(places, { a: { devices: ['tap0'], ids: [UUID] } })).toEqual(['a: tap0 by device', 'a: tap1 by id']);
  });

  describe('never gives a port to who only says that it is his', () => {
    const port = [withIds('tap0', { 'vm-id': UUID, 'attached-mac': MAC })];
    const owner = { devices: ['tap0'], ids: [UUID], macs: [MAC] };

    it.each([
      ['the UUID', { ids: [UUID] }],
      ['the address', { macs: [MAC] }],
      ['both', { ids: [UUID], macs: [MAC] }],
    ])('with %s of another that holds it', (_, thief) => {
      expect(joined(port, { thief, owner })).toEqual(['owner: tap0 by device']);
      expect(joined(port, { owner, thief })).toEqual(['owner: tap0 by device']);
    });

    it.each([
      ['the same device', { devices: ['tap0'] }, owner],
      ['the same UUID', { ids: [UUID] }, { ids: [UUID] }],
      ['a socket where another has the UUID', { sockets: ['/s'] }, { ids: [UUID] }],
    ])('and leaves it nobody’s where two have %s', (_, one, other) => {
      const options = new Map([['vhost-server-path', '/s']]);
      const type = 'sockets' in one ? 'dpdkvhostuserclient' : '';
      expect(joined([withIds('tap0', { 'vm-id': UUID, 'attached-mac': MAC }, { type, options })], { one, other })).toEqual([]);
    });

    it('leaves an address that two have to neither', () => {
      const open = [withIds('vif0', { 'attached-mac': MAC })];
      expect(joined(open, { a: { macs: [MAC] }, b: { macs: [MAC] } })).toEqual([]);
      expect(joined([...open, withIds('vif1', { 'attached-mac': MAC })], { a: { macs: [MAC] } })).toEqual([]);
    });

    it('does not take an address for more than the machine that the port is for', () => {
      expect(joined(port, { a: { macs: [MAC], ids: ['another'] } })).toEqual([]);
    });
  });

  it('gives nothing for empty words', () => {
    expect(joined([withIds('tap0', { 'vm-id': '', 'attached-mac': '' })], { a: { ids: [''], macs: [''] } })).toEqual([]);
  });
});
