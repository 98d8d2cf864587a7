import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync, unlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import type { Child } from './child.js';
import { eventually } from './eventually.js';
import { BASICS, compiler, describeWith, kvm, qemu, works } from './needs.js';
import { QmpClient } from './qmp-client.js';
import { IDLE_MACHINE, startQemu } from './real-qemu.js';
import { StandInPrograms } from './stand-in.js';
import type { VmmStats } from './stats-document.js';
import { doorsAt } from './unix-sockets.js';

/** Not a name of the default, at which any other agent of this machine may be first. */
const DOOR = `door-${randomUUID().slice(0, 8)}.sock`;
/** Of agents that single tests start. */
const SECOND_DOOR = `second-${randomUUID().slice(0, 8)}.sock`;
const FLAGS = { 'vmm.interval': '1s', 'vmm.qmp-reserved': DOOR };
const GREETING = '{"QMP":{"version":{"qemu":{"micro":0,"minor":0,"major":99},"package":"impostor"},"capabilities":[]}}\r\n';

/** nobody of Debian with what the README calls enough: it may see everything of processes of others and write to nothing of theirs. */
const CAPABILITIES = '+sys_ptrace,+dac_read_search';
const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--pdeathsig', 'KILL'];
const watcher = [...asNobody, `--inh-caps=${CAPABILITIES}`, `--ambient-caps=${CAPABILITIES}`, '--'];
const mayWatch = works('capabilities cannot be handed over here', [...watcher, 'true']);

// Agent: root, one that asks every second. Each test has a QEMU of its own, whose guest never starts.
describeWith('the door of one VMM', [...BASICS, builtAgent, compiler, kvm, qemu, mayWatch], () => {
  const belongings = new Belongings();
  let programs: StandInPrograms;
  let agent: AgentProcess;

  beforeAll(async () => {
    programs = new StandInPrograms(belongings);
    agent = await AgentProcess.start(belongings, { flags: FLAGS });
  });
  afterAll(() => belongings.release());

  interface Door {
    readonly id: string;
    readonly path: string;
    readonly child: Child;
  }
  const start = async (path: string, id: string = randomUUID()): Promise<Door> => {
    const words = [...IDLE_MACHINE, '-m', '64', '-uuid', id, '-qmp', `unix:${path},server=on,wait=off`];
    return { id, path, child: await startQemu(belongings, words, { socket: path }) };
  };
  const freshPath = (name = DOOR): string => {
    const directory = join(programs.directory, randomUUID().slice(0, 8));
    mkdirSync(directory);
    return join(directory, name);
  };
  const startSecond = (through: readonly string[] = []): Promise<AgentProcess> =>
    AgentProcess.start(belongings, { through, flags: { ...FLAGS, 'vmm.qmp-reserved': SECOND_DOOR } });
  const stats = (what: string, { id }: Door, holds: (stats: VmmStats) => boolean, of = agent): Promise<VmmStats> =>
    eventually(what, async () => {
      const now = await of.vmmStats(id);
      if (!holds(now)) throw new Error(`${now.state} ${JSON.stringify(now.collectors.vmm)} ${JSON.stringify(now.vmm)}`);
      return now;
    });
  const answers = ({ collectors }: VmmStats): boolean => collectors.vmm?.outcome === 'ok';
  const rounds = async (door: Door, count: number, of = agent): Promise<VmmStats> => {
    const before = (await of.vmmStats(door.id)).vmm;
    const done = ({ vmm }: VmmStats): number => (vmm.questions ?? 0) + (vmm.failures ?? 0);
    const enough = done({ vmm: before } as VmmStats) + count;
    return stats(`${count} more rounds`, door, (now) => done(now) >= enough, of);
  };

  it('a VMM that is killed while it is asked ends as any other, and its last round is nobody else’s failure', async () => {
    const [victim, other] = [await start(freshPath()), await start(freshPath())];
    await stats('an answer', victim, answers);
    await stats('an answer of the other', other, answers);
    victim.child.signal('SIGSTOP');
    // It is being asked, or was and did not answer.
    await stats('a round that is not answered', victim, ({ vmm }) => (vmm.failures ?? 0) > 0);
    const scrapes: number[] = [];
    const scraping = (async () => {
      for (let i = 0; i < 20; i++) scrapes.push((await agent.ask('/metrics')).status);
    })();
    await victim.child.kill();
    await scraping;

    const ended = await stats('its end', victim, ({ state }) => state === 'stopped');
    expect(new Set(scrapes)).toEqual(new Set([200]));
    expect(ended.cpu_seconds).toBeGreaterThan(0);
    // The closing sample is of the last sweep that saw it, and so is what its VMM had said by then.
    expect(ended.collectors.vmm).toMatchObject({ outcome: 'failed', reason: 'timeout' });
    expect(await agent.sample(`vmgauge_vmm_connections_total{instance_id="${victim.id}"}`)).toBeUndefined();
    expect((await agent.vmmStats(other.id)).vmm).toMatchObject({ failures: 0, connections: 1 });
  });

  it('a socket whose file is deleted is answered through as long as the connection stands', async () => {
    const door = await start(freshPath());
    await stats('an answer', door, answers);
    unlinkSync(door.path);

    expect((await rounds(door, 3)).vmm).toMatchObject({ failures: 0, connections: 1 });
  });

  it('a socket whose file is deleted before anybody asked is no reason to fail: the VMM has no door', async () => {
    const path = freshPath(SECOND_DOOR);
    const door = await start(path);
    unlinkSync(path);
    const second = await startSecond();
    const now = await stats('what is said of the door', door, ({ collectors }) => collectors.vmm?.reason !== 'busy', second);

    expect(now.collectors.vmm).toMatchObject({ outcome: 'absent', reason: 'not_configured' });
    expect(now.cpu_seconds).toBeGreaterThan(0);
    await second.end();
  });

  it('another process that listens at the path of a VMM is never taken for it', async () => {
    const path = freshPath(SECOND_DOOR);
    const door = await start(path);
    unlinkSync(path);
    const impostor = await Impostor.listen(belongings, path);
    const second = await startSecond();
    const now = await stats('what is said of the door', door, ({ collectors }) => collectors.vmm?.reason !== 'busy', second);
    await second.rescanned();

    expect(now.collectors.vmm).toMatchObject({ outcome: 'absent', reason: 'not_permitted' });
    expect(JSON.stringify(await second.vmmStats(door.id))).not.toMatch(/99\.0|impostor/);
    expect(now.state).toBe('running');
    // What was said to it, if anything, is less than a question.
    expect(impostor.heard).not.toMatch(/query-/);
    await second.end();
  });

  it('a VMM that is started again at the same path is another one: a generation more, counters from the beginning', async () => {
    const path = freshPath();
    const first = await start(path);
    const before = await stats('an answer', first, answers);
    await first.child.kill();
    await stats('its end', first, ({ state }) => state === 'stopped');
    rmSync(path, { force: true });
    const second = await start(path, first.id);
    const after = await stats('an answer of the second', second, (now) => answers(now) && now.generation > before.generation);

    expect(after.generation).toBe(before.generation + 1);
    expect(after.state).not.toBe('stopped');
    expect(Object.entries(after.events).filter(([, count]) => count !== null && count !== 0)).toEqual([]);
  });

  it('a client that holds the reserved monitor is waited for, not pushed away, and the agent has its turn afterwards', async () => {
    const path = freshPath();
    const door = await start(path);
    await agent.end();
    const owner = await QmpClient.connect(path);
    belongings.own(() => owner.close());
    agent = await AgentProcess.start(belongings, { flags: FLAGS });
    await stats('what is said of the door', door, ({ collectors }) => collectors.vmm !== undefined);
    await agent.rescanned();
    for (let i = 0; i < 5; i++) {
      expect(await owner.status()).toBe('prelaunch');
      expect(doorsAt([path])[0].served).toBe(1);
      await agent.rescanned();
    }
    const waiting = await agent.vmmStats(door.id);
    expect(waiting.collectors.vmm?.outcome).not.toBe('ok');
    owner.close();

    const now = await stats('the agent’s turn', door, answers);
    expect(now.vmm.connections).toBe(1);
  });

  it('a client that comes second waits, and what the agent knows stays', async () => {
    const path = freshPath();
    const door = await start(path);
    await stats('an answer', door, answers);
    const late = QmpClient.dial(path);
    belongings.own(() => late.close());
    const now = await rounds(door, 3);

    expect(now.vmm).toMatchObject({ failures: 0, connections: 1 });
    expect(late.hasGreeting).toBe(false);
    late.close();
    expect((await rounds(door, 3)).vmm).toMatchObject({ failures: 0, connections: 1 });
  });

  it('a socket that the agent may not write to is not permitted, whatever else it may see, and what is connected stays so', async () => {
    // Of this agent alone.
    const path = freshPath(SECOND_DOOR);
    const door = await start(path);
    const watching = await startSecond(watcher);
    const refused = await stats('what is said of the door', door, ({ collectors }) => collectors.vmm?.reason !== 'busy', watching);

    expect(refused.collectors.vmm).toMatchObject({ outcome: 'absent', reason: 'not_permitted' });
    expect(refused.cpu_seconds).toBeGreaterThan(0);
    chmodSync(path, 0o777);
    await stats('an answer', door, answers, watching);
    chmodSync(path, 0o700);
    const { failures } = (await watching.vmmStats(door.id)).vmm;
    expect((await rounds(door, 3, watching)).vmm).toMatchObject({ failures, connections: 1 });
    await watching.end();
  });
});

/** Somebody else who listens where a VMM did, and speaks as one. */
class Impostor {
  heard = '';

  static async listen(belongings: Belongings, path: string): Promise<Impostor> {
    const impostor = new Impostor();
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.setEncoding('utf8').on('data', (text: string) => {
        impostor.heard += text;
        socket.write('{"return": {"status": "running", "running": true}}\r\n');
      });
      socket.write(GREETING);
    });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
    belongings.own(() => server.close());
    return impostor;
  }
}
