import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { eventually } from './eventually.js';
import { BASICS, compiler, describeWith, kvm, qemu } from './needs.js';
import { memberAt, numberAt } from './numbers.js';
import { PidNamespace } from './pid-namespace.js';
import { startIdleQemu } from './real-qemu.js';
import { StandIn, StandInPrograms } from './stand-in.js';

// Agent: root, in a pid namespace where it asks nobody else's VMMs. A main loop that hangs is one that sleeps and does not look after its monitor: the stand-in waits for its standard input.
describeWith('a VM that hangs', [...BASICS, builtAgent, compiler, kvm, qemu], () => {
  const belongings = new Belongings();
  let programs: StandInPrograms;
  let namespace: PidNamespace;
  let agent: AgentProcess;
  beforeAll(async () => {
    programs = new StandInPrograms(belongings);
    namespace = await PidNamespace.start(belongings, programs.launcher);
    agent = await AgentProcess.start(belongings, { flags: { 'vmm.interval': '1s', 'vmm.deadline': '2s' }, through: namespace.entrance });
  });
  afterAll(() => belongings.release());

  const stateOf = async (id: string): Promise<string | undefined> => (await agent.list()).find((one) => one.id === id)?.state;
  const sampleOf = (id: string): Promise<number | undefined> => agent.sample(`vmgauge_vm_degraded{instance_id="${id}"}`);

  it('is degraded: its monitor is silent and its main loop sleeps through two questions', async () => {
    const id = randomUUID();
    const socket = join(programs.directory, `vmgauge-${id}.sock`);
    const argv = [
      ...namespace.entrance,
      programs.named('qemu-system-x86_64'),
      '-uuid',
      id,
      '-m',
      '64',
      '-qmp',
      `unix:${socket},server=on,wait=off`,
    ];
    const vmm = await StandIn.start(belongings, argv, ['kvm 1', `listen ${socket}`]);
    await eventually('it is degraded', async () => (await stateOf(id)) === 'degraded');

    const stats = await agent.stats(id);
    expect(memberAt(stats, 'state')).toBe('degraded');
    expect(memberAt(stats, 'degraded.reasons')).toEqual(['monitor_silent']);
    expect(memberAt(stats, 'degraded.main_loop_state')).toBe('sleeping');
    expect(numberAt(stats, 'degraded.main_loop_idle_seconds')).toBeGreaterThan(0);
    expect(await sampleOf(id)).toBe(1);
    expect(await agent.sample(`vmgauge_vm_degraded_reason{reason="monitor_silent",instance_id="${id}"}`)).toBe(1);
    // Whatever wakes it proves that it is not stuck; an answer is still missing, so nothing says that it is well.
    await vmm.tell('pid');
    await eventually('it is not any more', async () => (await sampleOf(id)) === undefined);
  });

  it('is not one that works, nor one that was stopped by a signal', async () => {
    const socket = join(programs.directory, 'vmgauge.sock');
    const { uuid } = await startIdleQemu(belongings, ['-qmp', `unix:${socket},server=on,wait=off`], {
      socket,
      through: namespace.entrance,
    });
    await eventually('it was asked', async () => {
      if ((await sampleOf(uuid)) === 0) return true;
      throw new Error(JSON.stringify((await agent.stats(uuid)).collectors.vmm));
    });
    const pid = (await agent.detail(uuid)).pid ?? expect.fail('no process');
    namespace.kill(pid, 'STOP');
    // Two questions at least go unanswered, and the answer before them is not believed any more.
    await eventually('it does not answer', async () => numberAt(await agent.stats(uuid), 'vmm.failures') >= 3);
    expect(await stateOf(uuid)).toBe('paused');
    expect(await sampleOf(uuid)).toBeUndefined();
    namespace.kill(pid, 'CONT');
    await eventually('it answers again', async () => (await sampleOf(uuid)) === 0);
    expect(await stateOf(uuid)).not.toBe('degraded');
  });
});
