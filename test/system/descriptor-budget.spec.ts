import { afterAll, beforeAll, expect, it } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { eventually } from './eventually.js';
import { BASICS, compiler, describeWith, kvm } from './needs.js';
import { PidNamespace } from './pid-namespace.js';
import { StandIn, StandInPrograms } from './stand-in.js';

const STAND_INS = 40;
/** Forty sampled processes want 200 descriptors; four fifths of this limit may be held. */
const LIMIT = 160;

// Agent: root, with a descriptor limit that its VMs would use up.
describeWith('an agent short of descriptors', [...BASICS, builtAgent, compiler, kvm], () => {
  const belongings = new Belongings();
  let agent: AgentProcess;

  beforeAll(async () => {
    const programs = new StandInPrograms(belongings);
    const namespace = await PidNamespace.start(belongings, programs.launcher);
    agent = await AgentProcess.start(belongings, { through: [...namespace.entrance, 'prlimit', `--nofile=${LIMIT}:${LIMIT}`] });
    const words = [...namespace.entrance, programs.launcher, 'swarm', String(STAND_INS), '--'];
    const swarm = await StandIn.start(belongings, [...words, programs.named('firecracker'), 'firecracker', '--id', 'few-%d'], ['kvm 1']);
    for (let ready = 1; ready < STAND_INS; ready++) await swarm.child.lineThat(/^ready$/);
  });
  afterAll(() => belongings.release());

  it('still reads every file of every VM, and holds no more than its share', async () => {
    await eventually('all VMs', async () => (await agent.list()).filter(({ state }) => state === 'running').length === STAND_INS);
    const page = await eventually('a sweep of all', async () => {
      const text = await agent.read('/metrics');
      return text.match(/^vmgauge_vm_threads\{/gm)?.length === STAND_INS ? text : undefined;
    });
    for (const family of ['vmgauge_vm_memory_rss_bytes', 'vmgauge_vm_open_fds', 'vmgauge_vm_process_io_cancelled_write_bytes_total']) {
      expect([family, page.match(new RegExp(`^${family}\\{`, 'gm'))?.length]).toEqual([family, STAND_INS]);
    }
    const value = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(page)?.[1]);
    expect(value('vmgauge_process_holdable_descriptors')).toBe(LIMIT * 0.8);
    expect(value('vmgauge_process_held_descriptors')).toBeGreaterThan(2 * STAND_INS);
    expect(value('vmgauge_process_held_descriptors')).toBeLessThanOrEqual(LIMIT * 0.8);
  });
});
