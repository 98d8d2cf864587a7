import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { startTicksOf } from './child.js';
import { eventually } from './eventually.js';
import { BASICS, compiler, describeWith, kvm, procps, qemu, tun } from './needs.js';
import { freshInterfaceName } from './network-namespace.js';
import { PidNamespace } from './pid-namespace.js';
import { readPs } from './ps-reading.js';
import { startIdleQemu } from './real-qemu.js';
import { StandIn, StandInPrograms } from './stand-in.js';
import type { Stats } from './stats-document.js';

/** /proc/<pid>/stat counts user and system time in ticks of 10 ms, each cut off. */
const TICKS_SECONDS = 0.02;

// Agent: root; the test: root. Choosing a pid needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE over the pid namespace.
describeWith('the end of a VMM', [...BASICS, builtAgent, compiler, kvm, tun, qemu, procps], () => {
  const belongings = new Belongings();
  let programs: StandInPrograms;
  let firecracker: string;
  let agent: AgentProcess;

  beforeAll(async () => {
    programs = new StandInPrograms(belongings);
    firecracker = programs.named('firecracker');
    agent = await AgentProcess.start(belongings);
  });
  afterAll(() => belongings.release());

  const start = async (id: string, orders: readonly string[] = []): Promise<StandIn> => {
    const vmm = await StandIn.start(belongings, [firecracker, '--id', id], ['kvm 1', ...orders]);
    await agent.find(vmm.pid);
    return vmm;
  };
  const stopped = (id: string, of = agent): Promise<Stats> =>
    eventually(`the end of ${id}`, async () => {
      const stats = await of.stats(id);
      return stats.state === 'stopped' && stats;
    });

  it('leaves its last sample, a 404 for its metrics, and the bytes of all others', async () => {
    const tap = freshInterfaceName();
    const victim = randomUUID();
    const vmm = await start(victim, ['grow 20', 'burn 300', `tap ${tap}`]);
    const others = [randomUUID(), randomUUID(), randomUUID()];
    for (const id of others) await start(id, ['grow 5', 'burn 50']);
    // Its slow collectors have had their turns: from here on nothing of these idle processes moves.
    await eventually('all collectors', async () => [victim, ...others].length === (await complete([victim, ...others])));
    const last = await agent.stats(victim);
    const before = await seriesOf(others);
    const scrapes = scrapeWhile(async () => {
      await vmm.child.kill();
      await stopped(victim);
    }, others);

    for (const text of await scrapes) expect(text).toBe(before);
    const after = await agent.stats(victim);
    expect(after).toMatchObject({
      state: 'stopped',
      generation: 1,
      memory_rss_bytes: last.memory_rss_bytes,
      memory_vms_bytes: last.memory_vms_bytes,
      network_rx_bytes: last.network_rx_bytes,
    });
    // Ending may have cost it another tick, which its last sample has.
    expect(after.cpu_seconds).toBeGreaterThanOrEqual(Math.max(Number(last.cpu_seconds), 0.3 - TICKS_SECONDS));
    expect(await agent.ask(`/instances/${victim}/metrics`)).toMatchObject({
      status: 404,
      body: expect.stringContaining(`Container ID (${victim}) does not exist`),
    });
    expect(await agent.detail(victim)).toMatchObject({ state: 'stopped', pid: null, processes: [] });
    expect(await agent.read('/metrics')).not.toContain(`hypeman_vm_cpu_seconds_total{instance_id="${victim}"`);
  });

  it('has the final CPU time of a zombie in its closing sample', async () => {
    const id = randomUUID();
    const keeper = await StandIn.start(belongings, [programs.launcher, 'keep', '--', firecracker, 'firecracker', '--id', id], ['kvm 1']);
    // Nothing samples it but what this test asks for, so that the last live sample is from before the work.
    const patient = await AgentProcess.start(belongings, { flags: { 'collection.interval': '1h', 'discovery.interval': '1h' } });
    const before = await patient.stats(id);
    keeper.child.write('burn 700\nexit 0\n');
    await eventually('a zombie', () => readPs(keeper.pid).state.startsWith('Z'));
    const closing = await stopped(id, patient);
    keeper.child.signal('SIGUSR1');
    const [, user, system] = await keeper.child.lineThat(/^rusage (\d+) (\d+)$/);
    const used = (Number(user) + Number(system)) / 1e6;

    expect(before.cpu_seconds).toBeLessThan(0.5);
    expect(closing.cpu_seconds).toBeGreaterThanOrEqual(0.7 - TICKS_SECONDS);
    expect(closing.cpu_seconds).toBeLessThanOrEqual(used);
    expect(closing.cpu_seconds).toBeGreaterThan(used - TICKS_SECONDS);
    // What a zombie no longer has is what was last seen, not the zeros of its statm.
    expect(closing.memory_rss_bytes).toBe(before.memory_rss_bytes);
    expect((await patient.stats(id)).cpu_seconds).toBe(closing.cpu_seconds);
  });

  it('is the start of generation 2, counted anew, when a VMM with the same id follows', async () => {
    const id = randomUUID();
    const first = await start(id, ['burn 1000']);
    expect((await agent.stats(id)).cpu_seconds).toBeGreaterThanOrEqual(1 - TICKS_SECONDS);
    await first.child.kill();
    const second = await start(id);
    const stats = await eventually('generation 2', async () => {
      const now = await agent.stats(id);
      return now.generation === 2 && now;
    });

    expect(stats).toMatchObject({ state: 'running', generation: 2 });
    expect(stats.cpu_seconds).toBeLessThan(0.9);
    expect(await agent.detail(id)).toMatchObject({ pid: second.pid, processes: [{ start_ticks: startTicksOf(second.pid) }] });
    expect(await agent.sample(`vmgauge_vm_generation{instance_id="${id}"}`)).toBe(2);
  });

  it('is the start of generation 2 for a real QEMU with the same uuid as well', async () => {
    const { child, uuid } = await startIdleQemu(belongings);
    const first = await agent.find(child.pid);
    await child.kill();
    await eventually('its end', async () => (await agent.detail(uuid)).state === 'stopped');
    const { child: next } = await startIdleQemu(belongings, ['-uuid', uuid]);
    const second = await agent.find(next.pid);

    expect([first.id, second.id]).toEqual([uuid, uuid]);
    expect([first.generation, second.generation]).toEqual([1, 2]);
    expect(Date.parse(second.started_at ?? '')).toBeGreaterThan(Date.parse(first.started_at ?? ''));
  });

  it('is not a stop by SIGSTOP, which is a pause', async () => {
    const { child, uuid } = await startIdleQemu(belongings);
    await agent.find(child.pid);
    child.signal('SIGSTOP');
    await eventually('paused', async () => (await agent.detail(uuid)).state === 'paused');
    expect((await agent.stats(uuid)).state).toBe('paused');
    expect(await agent.sample(`vmgauge_vm_state{instance_id="${uuid}",state="paused"}`)).toBe(1);
    child.signal('SIGCONT');

    await eventually('running', async () => (await agent.detail(uuid)).state === 'running');
  });

  it('never lets the next owner of its pid appear under its id', async () => {
    const namespace = await PidNamespace.start(belongings, programs.launcher);
    const inside = await AgentProcess.start(belongings, { through: namespace.entrance });
    const [old, next] = [randomUUID(), randomUUID()];
    const first = await StandIn.start(belongings, [...namespace.entrance, firecracker, '--id', old], ['kvm 1', 'burn 100']);
    const [pid] = await first.tell('pid');
    await inside.find(pid);
    const last = await inside.stats(old);
    const seen: Stats[] = [];
    let watching = true;
    const watch = (async () => {
      while (watching) seen.push(await inside.stats(old));
    })();
    await first.tell('exit 0').catch(() => undefined);
    await first.child.gone();
    // More of everything than the first ever had.
    const words = [...namespace.entrance, programs.launcher, 'at-pid', String(pid), '--', firecracker, 'firecracker', '--id', next];
    const second = await StandIn.start(belongings, words, ['kvm 3', 'grow 64', 'burn 1500']);
    expect(await second.tell('pid')).toEqual([pid]);
    const detail = await inside.find(pid);
    await inside.rescanned();
    watching = false;
    await watch;

    expect(detail).toMatchObject({ id: next, pid, generation: 1, allocated: { vcpus: 3 } });
    expect((await inside.stats(next)).cpu_seconds).toBeGreaterThan(1.4);
    expect(await inside.detail(old)).toMatchObject({ state: 'stopped', pid: null });
    const strange = seen.filter(
      ({ cpu_seconds, memory_rss_bytes }) => cpu_seconds !== last.cpu_seconds || memory_rss_bytes !== last.memory_rss_bytes,
    );
    expect(strange).toEqual([]);
    expect(seen.at(-1)).toMatchObject({ state: 'stopped', allocated_vcpus: 1, generation: 1 });
  });

  it('is generation 2, not a going on, when the next owner of its pid has its id too', async () => {
    const namespace = await PidNamespace.start(belongings, programs.launcher);
    const inside = await AgentProcess.start(belongings, { through: namespace.entrance });
    const id = randomUUID();
    const first = await StandIn.start(belongings, [...namespace.entrance, firecracker, '--id', id], ['kvm 1', 'burn 900']);
    const [pid] = await first.tell('pid');
    await inside.find(pid);
    await first.tell('exit 0').catch(() => undefined);
    await first.child.gone();
    const words = [...namespace.entrance, programs.launcher, 'at-pid', String(pid), '--', firecracker, 'firecracker', '--id', id];
    await StandIn.start(belongings, words, ['kvm 1']);
    const stats = await eventually('generation 2', async () => {
      const now = await inside.stats(id);
      return now.generation === 2 && now;
    });

    expect(stats.cpu_seconds).toBeLessThan(0.9);
    expect(await inside.detail(id)).toMatchObject({ pid, state: 'running' });
  });

  /** How many of these have had all their collectors' turns. */
  async function complete(ids: readonly string[]): Promise<number> {
    const all = await Promise.all(ids.map((id) => agent.stats(id)));
    return all.filter(({ collectors }) => Object.values(collectors).every(({ reason }) => reason !== 'busy')).length;
  }

  /** Every sample of /metrics that tells a number of these VMs; the agent's own notes on its turns are left out. */
  async function seriesOf(ids: readonly string[]): Promise<string> {
    const lines = (await agent.read('/metrics')).split('\n');
    return lines
      .filter((line) => /^(hypeman_vm|vmgauge_vm)_/.test(line) && ids.some((id) => line.includes(`instance_id="${id}"`)))
      .join('\n');
  }

  async function scrapeWhile(work: () => Promise<void>, ids: readonly string[]): Promise<string[]> {
    let working = true;
    const done = work().finally(() => {
      working = false;
    });
    const texts: string[] = [];
    while (working) texts.push(await seriesOf(ids));
    await done;
    texts.push(await seriesOf(ids));
    return texts;
  }
});
