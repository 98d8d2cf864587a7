import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { Child, childrenOf } from './child.js';
import { eventually } from './eventually.js';
import { BASICS, compiler, describeWith, kvm, qemu } from './needs.js';
import { PidNamespace } from './pid-namespace.js';
import { QmpClient } from './qmp-client.js';
import { IDLE_MACHINE, QEMU } from './real-qemu.js';
import { StandInPrograms } from './stand-in.js';
import type { VmmStats } from './stats-document.js';
import { doorsAt } from './unix-sockets.js';

const RESERVED = 100;
const STOPPED = 10;
const OWNED = 20;
const INTERVAL_S = 3;
const DEADLINE_S = 5;
/** asker.ts asks so many at a time, ends one that misses its deadline this much later, and takes this much more or less than the interval. */
const LANES = 8;
const GRACE_S = 0.1;
const JITTER = 1.1;
/** All that hang are in the lanes at once, one after the other in each, when the turn of one that answers comes. */
const BOUND_S = INTERVAL_S * JITTER + Math.ceil(STOPPED / LANES) * (DEADLINE_S + GRACE_S);
/** One that asked them one after the other would take this much. */
const ONE_BY_ONE_S = INTERVAL_S + STOPPED * DEADLINE_S;
/** Half-way between: what a busy machine may add to the one before it looks like the other. */
const MOST_S = (BOUND_S + ONE_BY_ONE_S) / 2;

// Agent: root. In a pid namespace of its own nobody else's VMs are asked.
describeWith('the VMMs of many VMs', [...BASICS, builtAgent, compiler, kvm, qemu], () => {
  const belongings = new Belongings();
  let programs: StandInPrograms;
  let namespace: PidNamespace;

  beforeAll(async () => {
    programs = new StandInPrograms(belongings);
    namespace = await PidNamespace.start(belongings, programs.launcher);
  });
  afterAll(() => belongings.release());

  /** Idle QEMUs that are forked at once, `<name>-0` and so on, each with a monitor. */
  const swarm = async (name: string, count: number): Promise<Swarm> => {
    const socketOf = (i: number | string): string => join(programs.directory, `${name}-${i}.sock`);
    const monitor = ['-qmp', `unix:${socketOf('%d')},server=on,wait=off`];
    const words = [QEMU, 'qemu-system-x86_64', ...IDLE_MACHINE, '-m', '64', '-name', `${name}-%d`, ...monitor];
    const child = await Child.start([...namespace.entrance, programs.launcher, 'swarm', String(count), '--', ...words]);
    belongings.own(() => child.kill());
    const launcher = await eventually('the launcher', () => childrenOf(child.pid)[0]);
    const sockets = Array.from({ length: count }, (_, i) => socketOf(i));
    await eventually(`${count} monitors`, () => doorsAt(sockets).every(({ listens }) => listens));
    const pids = childrenOf(launcher);
    const end = async (): Promise<void> => {
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      await child.gone();
    };
    return { pids, sockets, end };
  };

  /** Documents of the swarm of that name. */
  const reader = (agent: AgentProcess, name: string) => async (): Promise<readonly VmmStats[]> => {
    const { instances } = JSON.parse(await agent.read('/stats')) as { instances: VmmStats[] };
    return instances.filter(({ instance_id }) => instance_id.startsWith(`${name}-`));
  };
  const failedOf = ({ collectors }: VmmStats): string[] =>
    Object.entries(collectors).flatMap(([name, { outcome, reason }]) =>
      outcome === 'failed' && reason !== 'busy' ? [`${name} ${reason}`] : [],
    );
  const ok = ({ collectors }: VmmStats): boolean => collectors.vmm?.outcome === 'ok';

  it(`${RESERVED} are asked, and ${STOPPED} that hang hold up the others by two deadlines and cost one failed outcome each`, async () => {
    const { pids, end } = await swarm('reserved', RESERVED);
    const agent = await AgentProcess.start(belongings, {
      through: namespace.entrance,
      flags: {
        'vmm.interval': `${INTERVAL_S}s`,
        'vmm.deadline': `${DEADLINE_S}s`,
        // Not the names of the default, at which any other agent of this machine may be first.
        'vmm.qmp-reserved': 'reserved-*.sock',
      },
    });
    const all = reader(agent, 'reserved');
    await eventually('an answer of every VMM, and what follows from it', async () => {
      const now = await all();
      const answered = now.filter((stats) => ok(stats) && stats.cpu.vcpus?.length === 1);
      const rest = now.find((stats) => !answered.includes(stats));
      if (answered.length < RESERVED)
        throw new Error(`${answered.length} of ${RESERVED}, not of ${JSON.stringify([rest?.vmm, rest?.collectors])}`);
      return true;
    });
    const whole = await all();
    expect(whole.flatMap(failedOf)).toEqual([]);
    // A door of our own is kept open and never opened twice: only one that failed is opened anew.
    expect(whole.filter(({ vmm }) => vmm.connections !== Number(vmm.failures) + 1)).toEqual([]);
    const ofTheKernel = await kernelSeries(agent);

    const hanging = new Set(Array.from({ length: STOPPED }, (_, i) => `reserved-${i * (RESERVED / STOPPED)}`));
    const signal = (id: string, name: NodeJS.Signals): void => void process.kill(pids[Number(id.replace('reserved-', ''))], name);
    const failuresOf = (all: readonly VmmStats[]): Map<string, number> =>
      new Map(all.map(({ instance_id, vmm }) => [instance_id, Number(vmm.failures)]));
    const before = failuresOf(whole);
    const watch = new Watch(whole);
    for (const id of hanging) signal(id, 'SIGSTOP');
    const failed = new Set<string>();
    await eventually('a failed round of each that hangs', async () => {
      const now = await all();
      watch.see(now);
      for (const stats of now) for (const word of failedOf(stats)) failed.add(`${stats.instance_id} ${word}`);
      // Nothing that the kernel tells is late or missing, of nobody.
      expect(await kernelSeries(agent)).toEqual(ofTheKernel);
      const after = failuresOf(now);
      // Whoever failed once goes on: the next question finds it well.
      const done = [...hanging].filter((id) => after.get(id) === Number(before.get(id)) + 1);
      for (const id of done) signal(id, 'SIGCONT');
      return done.length === STOPPED;
    });
    expect(failed).toEqual(new Set([...hanging].map((id) => `${id} vmm timeout`)));

    await eventually('an answer of those that hung', async () => {
      const again = await all();
      watch.see(again);
      return again.every(ok);
    });
    // Asked again, on a new connection, after one failure.
    const after = failuresOf(await all());
    expect([...after].filter(([id, failures]) => failures !== Number(before.get(id)) + (hanging.has(id) ? 1 : 0))).toEqual([]);
    const { longest, seen } = watch.gaps((id) => !hanging.has(id));
    expect(seen).toBe(RESERVED - STOPPED);
    expect(longest).toBeLessThan(MOST_S);
    expect(agent.log).not.toMatch(/error/i);
    await agent.end();
    await end();
  });

  it(`${OWNED} whose only monitor has an owner are not touched in opportunistic mode, while one without an owner is asked`, async () => {
    const { sockets, end } = await swarm('owned', OWNED + 1);
    const owned = sockets.slice(0, OWNED);
    const owners = await Promise.all(owned.map((path) => QmpClient.connect(path)));
    for (const owner of owners) belongings.own(() => owner.close());
    const agent = await AgentProcess.start(belongings, {
      through: namespace.entrance,
      flags: { 'vmm.interval': '1s', 'vmm.qmp': 'opportunistic' },
    });
    const all = reader(agent, 'owned');
    const free = `owned-${OWNED}`;
    let asked = 0;
    // As long as it takes to ask the free one three times.
    await eventually('three rounds of questions to the free one', async () => {
      const now = await all();
      expect(doorsAt(owned)).toEqual(owned.map(() => ({ listens: true, served: 1, waiting: 0 })));
      for (const owner of owners) expect(await owner.status()).toBe('prelaunch');
      asked = now.find(({ instance_id }) => instance_id === free)?.vmm.connections ?? 0;
      if (asked < 3) throw new Error(JSON.stringify(now.find(({ instance_id }) => instance_id === free)));
      return true;
    });
    const others = (await all()).filter(({ instance_id }) => instance_id !== free);
    expect(others.map(({ vmm }) => vmm.connections ?? 0)).toEqual(owned.map(() => 0));
    expect(others.map(({ vmm }) => vmm.questions ?? 0)).toEqual(owned.map(() => 0));
    expect(new Set(others.map(({ collectors }) => collectors.vmm?.outcome))).not.toContain('ok');
    // The place behind the owner is empty too.
    for (const [i, owner] of owners.entries()) {
      owner.close();
      owners[i] = await QmpClient.connect(owned[i]);
      owners[i].close();
    }
    await agent.end();
    await end();
  });
});

interface Swarm {
  /** In the order of the names. */
  readonly pids: readonly number[];
  readonly sockets: readonly string[];
  readonly end: () => Promise<void>;
}

/** Names and labels of the samples that do not come from VMMs, sorted. */
async function kernelSeries(agent: AgentProcess): Promise<readonly string[]> {
  const text = await agent.read('/metrics');
  return text
    .split('\n')
    .filter((line) => /^(hypeman_vm|vmgauge_vm_(cpu|memory|threads|file_descriptors|io))_/.test(line))
    .map((line) => line.slice(0, line.lastIndexOf(' ')))
    .toSorted();
}

/** How long each VMM was without an answer, by the times at which it last answered. */
class Watch {
  private readonly times = new Map<string, number[]>();

  constructor(first: readonly VmmStats[]) {
    this.see(first);
  }

  see(all: readonly VmmStats[]): void {
    for (const { instance_id, vmm } of all) {
      const answered = vmm.last_success_timestamp_seconds;
      const times = this.times.get(instance_id) ?? [];
      if (answered !== null && answered !== times.at(-1)) this.times.set(instance_id, [...times, answered]);
    }
  }

  /** @returns the longest time between two answers of one VMM, and of how many two were seen */
  gaps(isCounted: (id: string) => boolean): { readonly longest: number; readonly seen: number } {
    const lists = [...this.times].flatMap(([id, times]) => (isCounted(id) && times.length > 1 ? [times] : []));
    return { longest: Math.max(...lists.flatMap((times) => times.slice(1).map((time, i) => time - times[i]))), seen: lists.length };
  }
}
