import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { Child, childrenOf } from './child.js';
import { eventually } from './eventually.js';
import { BASICS, compiler, describeWith, kvm, qemu, tun } from './needs.js';
import { PidNamespace } from './pid-namespace.js';
import { IDLE_MACHINE, QEMU } from './real-qemu.js';
import { StandIn, StandInPrograms } from './stand-in.js';

const STAND_INS = 192;
const QEMUS = 8;
const CHURNED = 50;
const AT_ONCE = 10;

// Agent: root. In a pid namespace of its own nobody else's VMs come and go, so that descriptors can be counted.
describeWith('many VMs', [...BASICS, builtAgent, compiler, kvm, tun, qemu], () => {
  const belongings = new Belongings();
  let programs: StandInPrograms;
  let firecracker: string;
  let namespace: PidNamespace;
  let agent: AgentProcess;
  let base: readonly string[];

  beforeAll(async () => {
    programs = new StandInPrograms(belongings);
    firecracker = programs.named('firecracker');
    namespace = await PidNamespace.start(belongings, programs.launcher);
    agent = await AgentProcess.start(belongings, { through: namespace.entrance });
    // What is opened once, by the first VM and the first answers, is no leak.
    await StandIn.start(belongings, [...namespace.entrance, firecracker, '--id', 'steady'], ['kvm 1', 'tap steady0']);
    await eventually('the first VM', async () => (await running()).includes('steady'));
    await agent.allStats();
    base = await held();
  });
  afterAll(() => belongings.release());

  const running = async (): Promise<string[]> => (await agent.list()).filter(({ state }) => state === 'running').map(({ id }) => id);
  /** Those of a process whose rescan or sweep is under way come and go: the least of some looks is what it holds. */
  const held = async (): Promise<readonly string[]> => {
    const looks: string[][] = [];
    for (let look = 0; look < 10; look++) {
      looks.push(agent.descriptors());
      await pause(20);
    }
    return looks.reduce((least, look) => (look.length < least.length ? look : least));
  };
  const baseAgain = (): Promise<unknown> =>
    eventually('the descriptors it had before', async () => {
      const now = await held();
      if (now.length !== base.length) throw new Error(`${now.length} instead of ${base.length}: ${now.join(' ')}`);
      return true;
    });
  /** Samples that no idle VM changes, without those that other VMs' work changes (waiting for a CPU). */
  const seriesOf = async (ids: readonly string[]): Promise<string> => {
    const wanted = new Set(ids);
    return (await agent.read('/metrics'))
      .split('\n')
      .filter((line) => /^(hypeman_vm|vmgauge_vm)_/.test(line) && wanted.has(/instance_id="([^"]*)"/.exec(line)?.[1] ?? ''))
      .join('\n');
  };

  it('200 at once are all there, each with its own numbers, and the end of half of them changes nothing of the others', async () => {
    const words = [...namespace.entrance, programs.launcher, 'swarm'];
    const idle = [firecracker, 'firecracker', '--id', 'swarm-%d'];
    const swarm = await StandIn.start(belongings, [...words, String(STAND_INS), '--', ...idle], ['kvm 1']);
    for (let ready = 1; ready < STAND_INS; ready++) await swarm.child.lineThat(/^ready$/);
    const real = await Child.start([
      ...words,
      String(QEMUS),
      '--',
      QEMU,
      'qemu-system-x86_64',
      ...IDLE_MACHINE,
      '-m',
      '32',
      '-name',
      'real-%d',
    ]);
    belongings.own(() => real.kill());
    const expected = [
      'steady',
      ...Array.from({ length: STAND_INS }, (_, i) => `swarm-${i}`),
      ...Array.from({ length: QEMUS }, (_, i) => `real-${i}`),
    ];
    await eventually('all of them', async () => (await running()).length >= expected.length);
    expect((await running()).toSorted()).toEqual(expected.toSorted());
    // What a look at the host has just found is in the list at once, and in the documents with the next sweep.
    const documents = await eventually('documents of all of them', async () => {
      const all = await agent.allStats();
      return all.length >= expected.length && all;
    });
    expect(documents.map(({ instance_id }) => instance_id).toSorted()).toEqual(expected.toSorted());
    const failed = documents.filter(({ collectors }) =>
      [collectors.cpu, collectors.memory, collectors.io].some(({ outcome }) => outcome !== 'ok'),
    );
    expect(failed).toEqual([]);

    const survivors = expected.filter((id) => /^swarm-\d*[02468]$/.test(id));
    await eventually('all collectors', async () =>
      (await agent.allStats()).every(({ collectors }) => Object.values(collectors).every(({ reason }) => reason !== 'busy')),
    );
    const before = await seriesOf(survivors);
    const [launcher] = childrenOf(swarm.pid);
    const details = (await agent.list()).filter(({ id }) => id.startsWith('swarm-'));
    const victims = new Set(details.filter(({ id }) => !survivors.includes(id)).map(({ id }) => id));
    const inOrder = childrenOf(launcher);
    expect(inOrder).toHaveLength(STAND_INS);
    let killing = true;
    const texts: string[] = [];
    const scraping = (async () => {
      while (killing) texts.push(await seriesOf(survivors));
    })();
    // Started one after the other: the n-th child is swarm-n. A few at a time, so that sweeps come in between.
    for (const [i, pid] of inOrder.entries()) {
      if (!victims.has(`swarm-${i}`)) continue;
      process.kill(pid, 'SIGKILL');
      if (i % 8 === 7) await agent.ask('/stats');
    }
    await eventually('their end', async () => (await running()).length === expected.length - victims.size);
    killing = false;
    await scraping;

    expect(texts.length).toBeGreaterThan(2);
    expect(texts.filter((text) => text !== before)).toEqual([]);
    expect((await running()).toSorted()).toEqual(expected.filter((id) => !victims.has(id)).toSorted());
    await swarm.child.kill();
    for (const pid of [...inOrder, ...childrenOf(childrenOf(real.pid)[0])]) kill(pid);
    await eventually('the end of all', async () => (await running()).length === 1);
    await baseAgain();
  });

  it(`${CHURNED} that come and go while it is scraped leave no descriptor behind`, async () => {
    base = await held();
    let churning = true;
    const scraping = (async () => {
      while (churning) await Promise.all([agent.read('/metrics'), agent.allStats(), agent.list()]);
    })();
    for (let i = 0; i < CHURNED; i += AT_ONCE) {
      const batch = Array.from({ length: AT_ONCE }, (_, n) => `churn-${i + n}`);
      // Each with a network namespace of its own, which a held descriptor would keep alive.
      const vmms = await Promise.all(
        batch.map((id) =>
          StandIn.start(belongings, [...namespace.entrance, 'unshare', '--net', firecracker, '--id', id], ['kvm 1', 'tap tap0']),
        ),
      );
      await eventually(`${batch[0]} and those after it`, async () => {
        const now = await running();
        return batch.every((id) => now.includes(id));
      });
      const stats = await Promise.all(batch.map((id) => agent.stats(id)));
      expect(stats.map(({ network_rx_bytes }) => network_rx_bytes)).toEqual(batch.map(() => 0));
      await Promise.all(vmms.map((vmm) => vmm.tell('exit 0').catch(() => undefined)));
    }
    await eventually('the end of all', async () => !(await running()).some((id) => id.startsWith('churn-')));
    churning = false;
    await scraping;

    await baseAgain();
    const ended = (await agent.list()).filter(({ id, state }) => id.startsWith('churn-') && state === 'stopped');
    expect(ended).toHaveLength(CHURNED);
    expect(await agent.sample('vmgauge_process_held_descriptors')).toBeLessThanOrEqual(base.length);
    expect(agent.log).not.toMatch(/error/i);
  });
});

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
