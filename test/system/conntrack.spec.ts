import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { descriptorsHeld } from '../../src/host/held.js';
import { Host } from '../../src/host/host.js';
import type { HostCollector } from '../../src/model/host-collector.js';
import { Outcome } from '../../src/model/outcome.js';
import { ConntrackHostCollector } from '../../src/modules/network/conntrack/conntrack.host-collector.js';
import { CONNTRACK_WORDS } from '../../src/modules/network/conntrack/conntrack-stat.js';
import { ConntrackZonesHostCollector } from '../../src/modules/network/conntrack/conntrack-zones.host-collector.js';
import { HostConntrack } from '../../src/modules/network/conntrack/host-conntrack.js';
import { turnsDuring } from '../holding.js';
import { House } from '../house.js';
import { Belongings } from './belongings.js';
import { Child } from './child.js';
import { eventually } from './eventually.js';
import { BASICS, describeWith, file, iproute, kvm, program, qemu } from './needs.js';
import { NetworkNamespace } from './network-namespace.js';
import { startIdleQemu } from './real-qemu.js';
import { TrackedNamespace } from './tracked-namespace.js';

const NEEDS = [
  ...[...BASICS, iproute, kvm, qemu, program('nft', 'nftables'), program('conntrack', 'conntrack')],
  file('/proc/net/nf_conntrack', 'a kernel with CONFIG_NF_CONNTRACK_PROCFS'),
];

/** At first it is the program that puts it into the namespace, and in the test's own. */
const entered = ({ pid }: Child, { path }: NetworkNamespace): Promise<unknown> =>
  eventually(`${pid} in ${path}`, () => statSync(`/proc/${pid}/ns/net`).ino === statSync(path).ino);

/** A procfs whose first process is in a namespace of the test's: what is there is then the host's. Every file is the kernel's own. */
class OwnHost {
  readonly root = mkdtempSync(join(tmpdir(), 'vmgauge-own-host-'));

  constructor(belongings: Belongings, init: number) {
    belongings.own(() => rmSync(this.root, { recursive: true }));
    this.link('1', `/proc/${init}`);
    for (const name of ['self', 'stat', 'sys']) this.link(name, `/proc/${name}`);
  }

  show(pid: number): void {
    this.link(String(pid), `/proc/${pid}`);
  }

  private link(name: string, target: string): void {
    symlinkSync(target, join(this.root, name));
  }
}

describeWith('connections that the kernel tracks', NEEDS, () => {
  const belongings = new Belongings();
  let namespace: TrackedNamespace;
  let ownHost: OwnHost;
  let house: House;
  let conntrack: HostConntrack;
  let ofHost: ConntrackHostCollector;
  let ofZones: ConntrackZonesHostCollector;
  let heldBefore: number;

  beforeAll(async () => {
    heldBefore = descriptorsHeld();
    namespace = new TrackedNamespace(belongings);
    const init = await Child.start([...namespace.entrance, 'sleep', 'infinity']);
    belongings.own(() => init.kill());
    await entered(init, namespace);
    ownHost = new OwnHost(belongings, init.pid);
    house = new House(new Host({ proc: ownHost.root }));
    belongings.own(() => house.close());
    house.settings.slowIntervalMs = 0;
    conntrack = new HostConntrack(house.host);
    ofHost = new ConntrackHostCollector(conntrack);
    ofZones = new ConntrackZonesHostCollector(house.host, house.settings, conntrack);
  });
  afterAll(async () => {
    await belongings.release();
    expect(descriptorsHeld()).toBe(heldBefore);
  });

  const samples = ({ families }: { families: HostCollector['families'] }, name: string): ReadonlyMap<string, number> => {
    const family = families().find((one) => one.name === name) ?? expect.fail(`no ${name}`);
    return new Map([...family.samples()].map(({ labels, value }) => [labels, value]));
  };
  const host = (name: string): ReadonlyMap<string, number> => samples({ families: () => ofHost.families() }, `vmgauge_conntrack_${name}`);
  const zones = (): ReadonlyMap<string, number> => samples({ families: () => ofZones.families() }, 'vmgauge_conntrack_zone_entries');

  it('are 0 before there is any', () => {
    expect(ofHost.read()).toBe(Outcome.ok);
    expect([...host('entries')]).toEqual([['', 0]]);
    expect(namespace.entries).toBe(0);
  });

  it('are as many as conntrack says, and counted as it says, CPU by CPU', async () => {
    await namespace.connect(9990, 10_020);
    await namespace.connect(19_990, 20_035);
    expect(ofHost.read()).toBe(Outcome.ok);
    expect([...host('entries')]).toEqual([['', namespace.entries]]);
    expect(namespace.entries).toBe(77);
    expect([...host('max_entries')]).toEqual([['', Number(readFileSync('/proc/sys/net/netfilter/nf_conntrack_max', 'latin1'))]]);
    const said = namespace.counted;
    for (const word of CONNTRACK_WORDS) {
      expect([...host(`${word}_total`)], word).toEqual(said.map((counters) => [`cpu="${counters.cpu}"`, counters[word]]));
    }
    // Nobody listens: an ICMP error came for each datagram.
    expect([...host('error_total').values()].reduce((sum, value) => sum + value, 0)).toBeGreaterThan(0);
  });

  it('are as many in each zone as conntrack lists', async () => {
    expect(await ofZones.read()).toBe(Outcome.ok);
    const [all, oneWay, bothWays] = [[], ['--orig-zone', '5'], ['-w', '65520']].map((filter) => namespace.list(...filter).length);
    expect([all, oneWay, bothWays]).toEqual([77, 30, 35]);
    expect(zones()).toEqual(
      new Map([
        ['zone="0"', all - oneWay - bothWays],
        ['zone="5"', oneWay],
        ['zone="65520"', bothWays],
      ]),
    );
  });

  it('are a VM’s where it has a namespace of its own, and nobody’s where it is in the host’s or in another VM’s', async () => {
    const own = new TrackedNamespace(belongings);
    await own.connect(30_000, 30_007);
    const shared = new TrackedNamespace(belongings);
    await shared.connect(30_000, 30_003);
    const idle = new NetworkNamespace(belongings);
    const places = { own, idle, ofHost: namespace, shared, sharedToo: shared };
    const vms = await Promise.all(
      Object.entries(places).map(async ([id, place]) => {
        const { child } = await startIdleQemu(belongings, [], { through: place.entrance });
        await entered(child, place);
        ownHost.show(child.pid);
        return { id, hypervisor: 'qemu' as const, process: { pid: child.pid } };
      }),
    );
    house.told.records = vms;
    await house.turn();
    const cell = (id: string, place: string): number => {
      const row = [...house.registry.all()].find((one) => one.id === id)?.row ?? expect.fail(`no ${id}`);
      return house.tables.instances.columns.find(({ metric }) => metric.json === place)?.front[row] ?? expect.fail(`no ${place}`);
    };
    const seen = vms.map(({ id }) => [id, cell(id, 'collectors.instance_conntrack.outcome'), cell(id, 'network.conntrack.entries')]);
    expect(own.entries).toBe(8);
    expect(seen).toEqual([
      ['own', Outcome.ok, 8],
      // Nothing is tracked there, and the kernel says so.
      ['idle', Outcome.ok, 0],
      ['ofHost', Outcome.unsupported, Number.NaN],
      ['shared', Outcome.unsupported, Number.NaN],
      ['sharedToo', Outcome.unsupported, Number.NaN],
    ]);
    expect(cell('own', 'network.conntrack.drop')).toBe(own.counted.reduce((sum, { drop }) => sum + drop, 0));
  });

  it('are counted by zone while the event loop turns, 20,000 of them', async () => {
    await namespace.connect(20_035, 40_035);
    const work = Promise.resolve(ofZones.read());
    const turns = await turnsDuring(work);
    expect(await work).toBe(Outcome.ok);
    const entries = [...zones().values()].reduce((sum, value) => sum + value, 0);
    expect(entries).toBe(namespace.entries);
    expect(zones().get('zone="65520"')).toBe(20_035);
    // The kernel gives some 25 a page, and there is a turn for each page.
    expect(turns).toBeGreaterThan(entries / 100);
    house.settings.conntrackZonesMaxEntries = 20_000;
    expect(await ofZones.read()).toBe(Outcome.tooLarge);
    expect(zones().size).toBe(0);
  });
});
