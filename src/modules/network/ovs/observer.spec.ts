import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { aBridge, anInterface, aPort, COUNTERS } from '../../../../test/switch-port.js';
import { Host } from '../../../host/host.js';
import { HostError } from '../../../host/host-error.js';
import { Outcome } from '../../../model/outcome.js';
import { Settings } from '../../../model/settings.js';
import type { OvsDatabase } from './database.js';
import { OvsObserver, worst } from './observer.js';
import { OpenFlowClient } from './openflow-client.js';
import { FlowMonitor } from './openflow-monitor.js';
import { OvsdbClient } from './ovsdb-client.js';

const clock = { ms: 1000, now: () => 0, monotonic: () => clock.ms };
const INTERVAL_MS = 1000;

/** Answers what the test wants, or throws it. */
class FakeClient {
  isOpen = true;
  dropped = 0;
  trouble: Error | null = null;
  known: OvsDatabase = { version: '3.1.0', bridges: [] };
  database = (): OvsDatabase => this.known;
  check = async (): Promise<void> => this.fail();
  tables = async () => {
    this.fail();
    return [{ id: 0, name: 'table0', active: 2, lookups: 5, matches: 4 }];
  };
  ports = async () => {
    this.fail();
    return [{ number: 3, ...COUNTERS }];
  };
  meters = async (): Promise<never> => {
    throw new HostError('EOPNOTSUPP', 'no meters');
  };
  aggregate = vi.fn(async () => ({ packets: 1, bytes: 2, flows: 2 }));
  close = vi.fn(() => {
    this.isOpen = false;
  });

  private fail(): void {
    if (this.trouble) throw this.trouble;
  }
}

let root: string;
let servers: Server[];
let observer: OvsObserver;
let database: FakeClient;
let bridges: FakeClient[];
/** What connecting to a bridge comes to. */
let refusal: Error | null;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vmgauge-observer-'));
  servers = [];
  clock.ms = 1000;
  database = new FakeClient();
  database.known = {
    version: '3.1.0',
    bridges: [aBridge('br0', [aPort(anInterface('tap0'))], { protocols: ['OpenFlow10', 'OpenFlow15'] })],
  };
  bridges = [];
  refusal = null;
  for (const word of ['log', 'warn'] as const) vi.spyOn(Logger.prototype, word).mockReturnValue(undefined);
  vi.spyOn(OvsdbClient, 'connect').mockImplementation(async () => {
    if (refusal) throw refusal;
    return database as unknown as OvsdbClient;
  });
  vi.spyOn(OpenFlowClient, 'connect').mockImplementation(async () => {
    if (refusal) throw refusal;
    const client = new FakeClient();
    bridges.push(client);
    return client as unknown as OpenFlowClient;
  });
  observe();
});
afterEach(async () => {
  vi.restoreAllMocks();
  observer.onApplicationShutdown();
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  rmSync(root, { recursive: true, force: true });
});

function observe(ovsDirectories: readonly string[] = ['/run/ovs'], ovsFlowMonitor = false): void {
  const host = new Host({ run: root }, clock);
  observer = new OvsObserver(
    host,
    Object.assign(new Settings(), { ovsDirectories, ovsFlowMonitor, ovsIntervalMs: INTERVAL_MS, ovsDeadlineMs: 500 }),
  );
}

/** A run directory with sockets at which somebody listens. */
async function listen(...names: readonly string[]): Promise<string> {
  const directory = join(root, 'ovs');
  mkdirSync(directory, { recursive: true });
  for (const name of names) {
    const server = createServer();
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(join(directory, name), resolve));
  }
  return directory;
}

const first = (): OvsObserver['switches'][number] => observer.switches[0];
const turn = async (): Promise<void> => {
  clock.ms += INTERVAL_MS;
  await observer.poll();
};

describe('OvsObserver', () => {
  it('finds nothing where there is no run directory, and nothing to do', async () => {
    await turn();
    expect(first().outcome).toBe(Outcome.notConfigured);
    expect([observer.bridges(), observer.silence]).toEqual([[], null]);
    expect(OvsdbClient.connect).not.toHaveBeenCalled();
  });

  it('asks every bridge that the database names, over connections that stay', async () => {
    await listen('db.sock', 'br0.mgmt');
    await turn();
    await turn();
    expect(worst(first())).toBe(Outcome.ok);
    expect([first().isDatabaseUp, first().isSwitchUp]).toEqual([true, true]);
    expect(observer.bridges()[0].watch.reading).toMatchObject({ meters: null, aggregate: { flows: 2 }, at: clock.ms });
    expect(OvsdbClient.connect).toHaveBeenCalledTimes(1);
    // One for tables with their names, one for all else.
    expect(
      vi
        .mocked(OpenFlowClient.connect)
        .mock.calls.map(([, versions]) => versions)
        .sort(),
    ).toEqual([[1], [6]]);
  });

  it('sees at once that a switch ended, and its counters with it', async () => {
    await listen('db.sock', 'br0.mgmt');
    await turn();
    const [{ watch }] = observer.bridges();
    bridges[1].isOpen = false;
    expect([first().isSwitchUp, watch.reading]).toEqual([false, null]);
    expect(observer.bridges()).toHaveLength(1);
    refusal = new HostError('ECONNREFUSED', 'gone');
    await turn();
    expect([watch.outcome, watch.reading]).toEqual([Outcome.gone, null]);
    refusal = null;
    await turn();
    expect(first().isSwitchUp).toBe(true);
  });

  it('shows what a late switch had for three intervals, and asks it ever less often', async () => {
    await listen('db.sock', 'br0.mgmt');
    await turn();
    const [{ watch }] = observer.bridges();
    for (const client of bridges) client.trouble = new HostError('ETIMEDOUT', 'late');
    await turn();
    expect([watch.outcome, watch.reading === null]).toEqual([Outcome.timeout, false]);
    await turn();
    await turn();
    await turn();
    expect(watch.reading).toBeNull();
    const tables = bridges.map((client) => vi.spyOn(client, 'tables'));
    for (let i = 0; i < 10; i++) await turn();
    const asked = tables.reduce((sum, { mock }) => sum + mock.calls.length, 0);
    expect([asked > 0, asked < 4]).toEqual([true, true]);
    for (const client of bridges) client.trouble = null;
    // A change in the database says that somebody is there again.
    vi.mocked(OvsdbClient.connect).mock.calls[0][2]();
    await turn();
    expect(first().isSwitchUp).toBe(true);
  });

  it('goes on with the bridges while the database is gone, but not for long', async () => {
    await listen('db.sock', 'br0.mgmt');
    await turn();
    database.isOpen = false;
    vi.mocked(OvsdbClient.connect).mockRejectedValue(new HostError('ECONNREFUSED', 'gone'));
    await turn();
    expect([first().outcome, first().isDatabaseUp, first().isSwitchUp]).toEqual([Outcome.gone, false, true]);
    for (let i = 0; i < 3; i++) await turn();
    // Ports may be other ones by now.
    expect([observer.bridges(), observer.silence]).toEqual([[], Outcome.gone]);
  });

  it('says of a switch that nobody asks any more neither that it answers nor that it does not', async () => {
    await listen('db.sock', 'br0.mgmt');
    await turn();
    database.isOpen = false;
    vi.mocked(OvsdbClient.connect).mockRejectedValue(new HostError('ECONNREFUSED', 'gone'));
    for (let i = 0; i < 5; i++) await turn();
    expect(first().isSwitchUp).toBe(true);
    for (let i = 0; i < 5; i++) await turn();
    expect(first().isSwitchUp).toBeNull();
    // The end of a connection is seen all the same.
    bridges[0].isOpen = false;
    expect(first().isSwitchUp).toBe(false);
  });

  it('counts the age of what a switch tells from when it was asked', async () => {
    await listen('db.sock', 'br0.mgmt');
    await turn();
    for (const client of bridges) {
      client.aggregate.mockImplementation(async () => {
        clock.ms += 400;
        return { packets: 1, bytes: 2, flows: 2 };
      });
    }
    await turn();
    expect(observer.bridges()[0].watch.reading?.at).toBe(clock.ms - 400);
  });

  it('takes a socket at which nobody listens for the end of a switch, not for none', async () => {
    await listen('db.sock');
    vi.mocked(OvsdbClient.connect).mockRejectedValue(new HostError('ECONNREFUSED', 'gone'));
    await turn();
    expect(first().outcome).toBe(Outcome.gone);
  });

  it('tells a switch that accepts nobody from one that was never asked', async () => {
    await listen('db.sock', 'br0.mgmt');
    await turn();
    refusal = new HostError('EAGAIN', 'its queue is full');
    database.isOpen = false;
    for (const client of bridges) client.isOpen = false;
    await turn();
    expect([first().outcome, first().bridges.get('br0')?.outcome, first().isSwitchUp]).toEqual([Outcome.timeout, Outcome.timeout, false]);
  });

  it('looks for the same directory below /var/run and /run, once, and below path.run', async () => {
    await listen('db.sock', 'br0.mgmt');
    observe(['/run/ovs', '/var/run/ovs', '/run/ovs/']);
    await turn();
    expect(observer.switches.map(({ directory, outcome }) => [directory, outcome])).toEqual([['/run/ovs', Outcome.ok]]);
    observe(['/var/run/ovs']);
    await turn();
    expect(first().outcome).toBe(Outcome.ok);
  });

  it('follows a symlink to the run directory, and none in it', async () => {
    const directory = await listen('db.sock', 'br0.mgmt');
    symlinkSync(directory, join(root, 'link'));
    mkdirSync(join(root, 'other'));
    symlinkSync(join(directory, 'db.sock'), join(root, 'other', 'db.sock'));
    observe(['/run/link', '/run/other']);
    await turn();
    expect(observer.switches.map(({ outcome }) => outcome === Outcome.ok)).toEqual([true, false]);
  });

  it('lets go of a bridge that is no more', async () => {
    await listen('db.sock', 'br0.mgmt');
    await turn();
    database.known = { version: null, bridges: [] };
    await turn();
    expect(first().bridges.size).toBe(0);
    expect(bridges.map(({ isOpen }) => isOpen)).toEqual([false, false]);
  });

  it('connects to no socket outside of the run directory, whatever a bridge is called', async () => {
    await listen('db.sock');
    database.known = { version: null, bridges: [aBridge('../br0', []), aBridge('', [])] };
    await turn();
    expect(first().bridges.size).toBe(0);
    expect(first().dropped.bridges).toBe(2);
    expect(OpenFlowClient.connect).not.toHaveBeenCalled();
  });

  it('watches 64 bridges and counts the others', async () => {
    await listen('db.sock');
    database.known = { version: null, bridges: Array.from({ length: 70 }, (_, i) => aBridge(`br${i}`, [])) };
    await turn();
    expect([first().bridges.size, first().dropped.bridges]).toEqual([64, 6]);
  });

  it.runIf(process.getuid?.() === 0 || process.env.VMGAUGE_NO_SKIP === '1')('connects to no socket of a third user', async () => {
    const directory = await listen('db.sock');
    chownSync(join(directory, 'db.sock'), 4242, 4242);
    chmodSync(join(directory, 'db.sock'), 0o777);
    await turn();
    expect([first().outcome, first().isDatabaseUp, first().isSwitchUp]).toEqual([Outcome.notPermitted, null, null]);
    // To whom the directory belongs, the sockets may.
    chownSync(directory, 4242, 4242);
    for (let i = 0; i < 3; i++) await turn();
    expect(first().outcome).toBe(Outcome.ok);
  });

  it('shows a bridge once that two directories have', async () => {
    observe(['/run/ovs', join(root, 'ovs')]);
    await listen('db.sock', 'br0.mgmt');
    await turn();
    expect(observer.bridges().map(({ directory }) => directory)).toEqual(['/run/ovs']);
    expect(observer.doubles).toBe(1);
  });

  it('does not ask 20000 flows and more to be added up', async () => {
    await listen('db.sock', 'br0.mgmt');
    await turn();
    // Which of the two connections is made first is nobody's choice.
    for (const client of bridges) {
      client.aggregate.mockClear();
      client.tables = async () => [{ id: 0, name: 't', active: 20_001, lookups: 0, matches: 0 }];
    }
    await turn();
    for (const client of bridges) expect(client.aggregate).not.toHaveBeenCalled();
    expect(observer.bridges()[0].watch.reading?.aggregate).toBeNull();
  });

  it('hears of changes of flows only where it is told to, and does without where it cannot', async () => {
    await listen('db.sock', 'br0.mgmt');
    const monitor = { isOpen: true, check: vi.fn(async () => undefined), close: () => undefined };
    const open = vi.spyOn(FlowMonitor, 'open').mockRejectedValueOnce(new HostError('EOPNOTSUPP', 'no such extension'));
    await turn();
    expect(open).not.toHaveBeenCalled();
    observe(['/run/ovs'], true);
    await turn();
    const [{ watch }] = observer.bridges();
    await vi.waitUntil(() => open.mock.calls.length === 1);
    expect([watch.isUp, watch.tally]).toEqual([true, null]);
    open.mockImplementation(async (_, tally) => {
      tally.added = 7;
      return monitor as unknown as FlowMonitor;
    });
    await turn();
    await vi.waitUntil(() => watch.tally?.added === 7);
    await turn();
    await vi.waitUntil(() => monitor.check.mock.calls.length === 1);
    expect(open.mock.calls.length).toBe(2);
  });

  it('waits for nobody who is to tell of changes of flows', async () => {
    await listen('db.sock', 'br0.mgmt');
    const open = vi.spyOn(FlowMonitor, 'open').mockReturnValue(new Promise(() => undefined));
    observe(['/run/ovs'], true);
    for (let times = 0; times < 3; times++) await turn();
    const [{ watch }] = observer.bridges();
    expect([watch.isUp, watch.outcome]).toEqual([true, Outcome.ok]);
    // The one that is under way is waited for before the next.
    expect(open.mock.calls.length).toBeLessThanOrEqual(1);
  });

  it('ends with all its connections', async () => {
    await listen('db.sock', 'br0.mgmt');
    await turn();
    observer.onApplicationShutdown();
    await turn();
    expect([database, ...bridges].map(({ isOpen }) => isOpen)).toEqual([false, false, false]);
  });
});
