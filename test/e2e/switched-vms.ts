import { mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import type { INestApplicationContext } from '@nestjs/common';
import { vi } from 'vitest';
import { Outcome } from '../../src/model/outcome.js';
import type { Settings } from '../../src/model/settings.js';
import { HostCollection } from '../../src/modules/collection/host-collection.js';
import type { OvsDatabase } from '../../src/modules/network/ovs/database.js';
import { OvsObserver } from '../../src/modules/network/ovs/observer.js';
import { UpstreamScraper } from '../../src/modules/upstreams/scraper.js';
import { FakeOvsdb, firstState } from '../fake-ovsdb.js';
import { FakeSwitch } from '../fake-switch.js';
import { answersOf, type CountingBridge } from '../switch-answers.js';
import { aBridge, anInterface, aPort } from '../switch-port.js';
import { UpstreamServer, upstreamAt } from '../upstream-server.js';
import { CopiedHost } from './copy.js';
import type { World } from './world.js';

const LONG_MS = 60_000;
const DIRECTORY = '/run/openvswitch';
/** Of the VM that has no tap in the host's network namespace. */
const EXPORTED_UUID = '3f0c6a1e-0000-4000-8000-0123456789ab';
/** The other one's. */
const TAP = { name: 'vnet0', ifIndex: 7 };
const AGENT_PAGE = new URL('../../fixtures/upstreams/antrea-agent.txt', import.meta.url);
/** One that is ours as well, one that is the agent's alone, and a histogram. */
const PASSED = ['antrea_agent_local_pod_count', 'antrea_agent_networkpolicy_count', 'antrea_agent_ovs_flow_ops_latency_milliseconds'];

const port = (name: string, ofPort: number, type: string, antrea: Readonly<Record<string, string>>) =>
  aPort(anInterface(name, { ofPort, type, ifIndex: type === '' ? 20 + ofPort : null }), { externalIds: new Map(Object.entries(antrea)) });

const ANTREA = aBridge(
  'br-int',
  [
    port('br-int', 65534, 'internal', {}),
    port('antrea-tun0', 1, 'geneve', { 'antrea-type': 'tunnel' }),
    port('antrea-gw0', 2, 'internal', { 'antrea-type': 'gateway' }),
    aPort(anInterface(TAP.name, { ofPort: 3, ifIndex: TAP.ifIndex }), {
      externalIds: new Map(
        Object.entries({ 'antrea-type': 'container', 'container-id': 'c0ffee', 'pod-namespace': 'vms', 'pod-name': 'virt-launcher-1' }),
      ),
    }),
    // A container that is no VM.
    port('web-6b1f', 4, '', { 'antrea-type': 'container', 'container-id': 'decaf', 'pod-namespace': 'default', 'pod-name': 'web' }),
  ],
  { protocols: ['OpenFlow10', 'OpenFlow15'] },
);
const PLAIN = aBridge(
  'br-vhost',
  [
    aPort(anInterface('br-vhost', { ofPort: 65534, type: 'internal', ifIndex: 30 })),
    aPort(
      anInterface('vhu-exp-1', {
        ...{ ofPort: 1, type: 'dpdkvhostuserclient', ifIndex: null, linkState: 'down' },
        ...{ externalIds: new Map(Object.entries({ 'vm-id': EXPORTED_UUID, 'iface-id': 'port-of-exp-1' })) },
      }),
      { tag: 42 },
    ),
  ],
  { datapathType: 'netdev' },
);
const DATABASE: OvsDatabase = { version: '3.1.0', bridges: [ANTREA, PLAIN] };

/** Numbers that are all different. */
const counters = (number: number, from: number): CountingBridge['ports'][number] => ({
  ...{ number, rxPackets: from + 1, txPackets: from + 2, rxBytes: 1000 * from + 3, txBytes: 1000 * from + 4 },
  ...{ rxDrops: from + 5, txDrops: from + 6, rxErrors: from + 7, txErrors: from + 8 },
});
const meter = (id: number, dropped: number): CountingBridge['meters'][number] => ({
  ...{ id, flows: 1, packets: 1000 + id, bytes: 64 * (1000 + id) },
  bands: [{ packets: dropped, bytes: 64 * dropped }],
});

const COUNTS = {
  'br-int': {
    tables: [
      { id: 0, name: 'PipelineRootClassifier', active: 4, lookups: 90_210, matches: 90_200 },
      { id: 3, name: 'Classifier', active: 6, lookups: 80_150, matches: 80_140 },
      // Nobody gave it a name; and one that nobody uses.
      { id: 60, name: '', active: 2, lookups: 5, matches: 4 },
      { id: 61, name: '', active: 0, lookups: 0, matches: 0 },
    ],
    // A tunnel does not count what it could not send.
    ports: [counters(65534, 100), { ...counters(1, 200), txDrops: null }, counters(2, 300), counters(3, 400), counters(4, 500)],
    meters: [meter(1, 0), meter(256, 7), meter(257, 11), meter(258, 13)],
    aggregate: { packets: 170_344, bytes: 2 ** 40, flows: 12 },
    changes: { added: 3, modified: 2, deleted: 1 },
  },
  'br-vhost': {
    tables: [{ id: 0, name: '', active: 1, lookups: 700, matches: 699 }],
    ports: [counters(65534, 600), counters(1, 700)],
    meters: [],
    aggregate: { packets: 699, bytes: 69_900, flows: 1 },
  },
} satisfies Readonly<Record<string, CountingBridge>>;
type BridgeName = keyof typeof COUNTS;

/**
 * The host `two-qemu`, whose VMs are at bridges that answer: one at Antrea's with its tap, one at a plain bridge over vhost-user. Two exporters
 * stand beside: Antrea's own agent, and one that does not run.
 */
export class SwitchedVms implements World {
  private constructor(
    private readonly host: CopiedHost,
    readonly database: FakeOvsdb,
    readonly bridges: Record<BridgeName, FakeSwitch>,
    readonly antrea: UpstreamServer,
  ) {}

  static async start(): Promise<SwitchedVms> {
    const host = new CopiedHost('two-qemu');
    moveTap(host);
    mkdirSync(host.path(DIRECTORY), { recursive: true });
    const database = await FakeOvsdb.listen(host.path(DIRECTORY, 'db.sock'), firstState(DATABASE));
    const bridges = { 'br-int': await listen(host, 'br-int'), 'br-vhost': await listen(host, 'br-vhost') };
    return new SwitchedVms(host, database, bridges, await UpstreamServer.start(readFileSync(AGENT_PAGE, 'utf8')));
  }

  get root(): string {
    return this.host.root;
  }

  get settings(): Partial<Settings> {
    return {
      ...{ ovsDirectories: [DIRECTORY], ovsDeadlineMs: LONG_MS, ovsFlowMonitor: true },
      upstreams: [
        upstreamAt('antrea-agent', this.antrea.url, { allow: PASSED, labels: new Map([['node', 'n1']]) }),
        upstreamAt('node', `unix:${this.host.path('run', 'node-exporter.sock')}`),
      ],
    };
  }

  async settle(app: INestApplicationContext): Promise<void> {
    await app.get(UpstreamScraper, { strict: false }).settle(LONG_MS);
    const observer = app.get(OvsObserver, { strict: false });
    const { active } = app.get(HostCollection, { strict: false });
    const isHeard = (): boolean => {
      // What a sweep reads is what it was at the last sweep.
      if (active.some(({ outcome, collector }) => outcome === Outcome.busy && collector.about.tier === 'timer')) return false;
      const watches = observer.bridges().map(({ watch }) => watch);
      return watches.length === DATABASE.bridges.length && watches.every(({ isUp }) => isUp) && watches[0].tally?.deleted === 1;
    };
    await vi.waitUntil(isHeard, { timeout: LONG_MS, interval: 5 });
  }

  /** Lets a bridge that was closed answer again. */
  async reopen(name: BridgeName): Promise<void> {
    this.bridges[name] = await listen(this.host, name);
  }

  async stop(): Promise<void> {
    await Promise.all([this.database, ...Object.values(this.bridges), this.antrea].map((one) => one.close()));
    this.host.remove();
  }
}

async function listen(host: CopiedHost, name: BridgeName): Promise<FakeSwitch> {
  const bridge = await FakeSwitch.listen(host.path(DIRECTORY, `${name}.mgmt`));
  bridge.reply = answersOf(COUNTS[name]);
  return bridge;
}

/** Out of its Linux bridge and into the kernel's datapath of the switch. */
function moveTap(host: CopiedHost): void {
  const at = (entry: string): string => host.path('sys', 'class', 'net', TAP.name, entry);
  for (const entry of ['brport', 'master']) rmSync(at(entry), { recursive: true });
  symlinkSync('../ovs-system', at('master'));
}
