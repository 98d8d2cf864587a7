import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { type Child, childrenOf } from './child.js';
import { eventually } from './eventually.js';
import { BASICS, compiler, describeWith, kvm, qemu, works } from './needs.js';
import { QEMU, startQemu } from './real-qemu.js';
import { StandIn, StandInPrograms } from './stand-in.js';

/** A machine that runs: where KVM is paravirtual its firmware goes round in circles, which is CPU time as good as any. */
const MACHINE: readonly string[] = ['-accel', 'kvm', '-nodefaults', '-display', 'none', '-m', '64'];
const NAMED = ['-name', 'own,debug-threads=on'];

/** A mount of debugfs that nobody else sees. */
const WITH_DEBUGFS = [
  ...['unshare', '--mount', '--', 'sh', '-c'],
  ...['mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug; exec "$@"', 'sh'],
];
const debugfs = works('KVM in debugfs', [...WITH_DEBUGFS, 'test', '-d', '/sys/kernel/debug/kvm']);

const threadsOf = (pid: number): number[] => readdirSync(`/proc/${pid}/task`).map(Number);
/** Whole microseconds on a CPU, as schedstat of the thread counts nanoseconds. */
const runOf = (pid: number, thread: number): number =>
  Math.floor(Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]) / 1000);
const nameOf = (pid: number, thread: number): string => readFileSync(`/proc/${pid}/task/${thread}/comm`, 'latin1').trimEnd();
const microseconds = (seconds: unknown): number => Math.round(Number(seconds) * 1e6);

/** Fields 14 and 15 of /proc/<pid>/stat in microseconds; each is cut to whole ticks. */
function processTotal(pid: number): number {
  const line = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const [user, system] = line
    .slice(line.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return (user + system) * 10_000;
}
const CUT_MICROSECONDS = 20_000;

const inDebugfs = (script: string): string =>
  execFileSync(WITH_DEBUGFS[0], [...WITH_DEBUGFS.slice(1), 'sh', '-c', script], {
    encoding: 'latin1',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trimEnd();

/** Threads in the order of KVM's vCPUs, as KVM tells whoever may mount debugfs. */
function vcpuThreads(pid: number): number[] {
  const script = `for vcpu in /sys/kernel/debug/kvm/${pid}-*/vcpu*; do echo "\${vcpu##*vcpu} $(cat $vcpu/pid)"; done`;
  const lines = execFileSync(WITH_DEBUGFS[0], [...WITH_DEBUGFS.slice(1), 'sh', '-c', script], { encoding: 'latin1' })
    .trimEnd()
    .split('\n');
  return lines
    .map((line) => line.split(' ').map(Number))
    .sort(([a], [b]) => a - b)
    .map(([, thread]) => thread);
}

describeWith('CPU time by vCPU', [...BASICS, builtAgent, compiler, kvm, qemu], () => {
  const belongings = new Belongings();
  let programs: StandInPrograms;
  let agent: AgentProcess;
  let nothing: string;

  beforeAll(async () => {
    programs = new StandInPrograms(belongings);
    nothing = mkdtempSync(join(tmpdir(), 'vmgauge-system-vcpus-'));
    belongings.own(() => rmSync(nothing, { recursive: true, force: true }));
    agent = await AgentProcess.start(belongings, { flags: { 'path.sysfs': nothing } });
  });
  // They would take the CPUs from the next one.
  const machines = new Belongings();
  afterEach(() => machines.release());
  afterAll(() => belongings.release());

  const collectorOf = async (id: string, from = agent) => (await from.stats(id)).collectors.vcpus;
  /** Microseconds by vCPU; null where nobody tells. */
  async function told(id: string, from = agent): Promise<Record<string, number> | null> {
    const { vcpus } = (await from.vmmStats(id)).cpu;
    return vcpus && Object.fromEntries(vcpus.map(({ index, seconds }) => [String(index), microseconds(seconds)]));
  }
  /** Waits for a VM that uses CPU and stops it by a signal, so that what was read by hand stays true. */
  async function frozen(child: Child, pid = child.pid): Promise<void> {
    await eventually(`CPU time of process ${pid}`, () => processTotal(pid) > 100_000);
    child.signal('SIGSTOP');
    await eventually(`process ${pid} to stop`, () =>
      threadsOf(pid).every((thread) => /\) T /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1'))),
    );
  }

  it('is the schedule of the thread with the vCPU’s name, and together never more than the process used', async () => {
    const child = await startQemu(machines, [...MACHINE, '-smp', '2', ...NAMED]);
    const { id } = await agent.find(child.pid);
    await frozen(child);
    const byHand: Record<string, number> = {};
    for (const thread of threadsOf(child.pid)) {
      const vcpu = /^CPU (\d+)\/KVM$/.exec(nameOf(child.pid, thread))?.[1];
      if (vcpu !== undefined) byHand[vcpu] = runOf(child.pid, thread);
    }
    expect(Object.keys(byHand).sort()).toEqual(['0', '1']);

    await eventually('a reading of the stopped VM', async () => isDeepStrictEqual(await told(id), byHand));
    expect(byHand['0']).toBeGreaterThan(0);
    expect(byHand['0'] + byHand['1']).toBeLessThanOrEqual(processTotal(child.pid) + CUT_MICROSECONDS);
    expect(microseconds(await agent.sample(`vmgauge_vm_vcpu_seconds_total{instance_id="${id}",vcpu="0"}`))).toBe(byHand['0']);
    expect(await collectorOf(id)).toMatchObject({ outcome: 'ok' });

    child.signal('SIGCONT');
    await eventually('more CPU time', async () => ((await told(id))?.['0'] ?? Number.NaN) > byHand['0']);
  });

  it('is nobody’s where threads have no names and nobody else tells', async () => {
    const child = await startQemu(machines, [...MACHINE, '-smp', '2']);
    const { id } = await agent.find(child.pid);
    await eventually('an outcome', async () => (await collectorOf(id)).reason === 'unsupported');
    expect(await collectorOf(id)).toMatchObject({ outcome: 'absent', reason: 'unsupported' });
    expect(await told(id)).toBeNull();
  });

  it('has a vCPU that is plugged in while the VM runs, and the others go on', async () => {
    const child = await startQemu(machines, [
      ...MACHINE,
      '-smp',
      '1,maxcpus=2,sockets=2,cores=1,threads=1',
      '-cpu',
      'qemu64',
      ...NAMED,
      '-qmp',
      'stdio',
    ]);
    const { id } = await agent.find(child.pid);
    const before = await eventually('the first vCPU', async () => (await told(id)) ?? undefined);
    expect(Object.keys(before)).toEqual(['0']);
    const cpu = { driver: 'qemu64-x86_64-cpu', id: 'second', 'socket-id': 1, 'core-id': 0, 'thread-id': 0 };
    for (const command of [{ execute: 'qmp_capabilities' }, { execute: 'device_add', arguments: cpu }]) {
      child.write(`${JSON.stringify(command)}\n`);
      await child.lineThat(/"return"/);
    }
    const after = await eventually('the second vCPU', async () => {
      const vcpus = await told(id);
      return vcpus && '1' in vcpus ? vcpus : undefined;
    });
    expect(after['0']).toBeGreaterThanOrEqual(before['0']);
  });

  it('of a process with 600 threads that claim to be one vCPU is that of one of them', async () => {
    const threads = Array.from({ length: 600 }, (_, n) => `thread vcpu7 - ${n === 0 ? 50 : 0}`);
    const liar = await StandIn.start(
      machines,
      [programs.named('cloud-hypervisor'), '--api-socket', join(nothing, 'no.sock')],
      ['kvm 1', ...threads],
    );
    const { id } = await agent.find(liar.pid);
    const claimants = threadsOf(liar.pid).filter((thread) => nameOf(liar.pid, thread) === 'vcpu7');
    expect(claimants).toHaveLength(600);
    // They sleep now. Which of them comes first is the kernel's choice: its thread ids begin anew some time.
    const runs = (): readonly number[] => claimants.map((thread) => runOf(liar.pid, thread));
    expect(Math.max(...runs())).toBeGreaterThanOrEqual(50_000);
    await eventually('the time of one of them', async () => runs().includes((await told(id))?.['7'] ?? Number.NaN));
    expect(Object.keys((await told(id)) ?? {})).toEqual(['7']);
  });

  it('of a process with 600 threads that claim to be 600 vCPUs is bounded', async () => {
    const threads = Array.from({ length: 600 }, (_, n) => `thread db_vcpu${n} - 0`);
    const liar = await StandIn.start(
      machines,
      [programs.named('cloud-hypervisor'), '--api-socket', join(nothing, 'no.sock')],
      ['kvm 1', ...threads],
    );
    const { id } = await agent.find(liar.pid);
    // Until then it may have been seen while it made them.
    await eventually('as many vCPUs as a VM may have', async () => Object.keys((await told(id)) ?? {}).length >= 512);
    expect(Object.keys((await told(id)) ?? {})).toEqual(Array.from({ length: 512 }, (_, vcpu) => String(vcpu)));
  });

  describeWith('as KVM tells it', [debugfs], () => {
    let own: AgentProcess;
    beforeAll(async () => {
      own = await AgentProcess.start(belongings, { through: WITH_DEBUGFS, flags: { 'vmm.interval': '1s' } });
    });

    /** The same VM seen by hand, stopped. */
    async function expectToldByKvm(child: Child, pid: number): Promise<void> {
      const { id } = await own.find(pid);
      await eventually('threads of both vCPUs', () => vcpuThreads(pid).every((thread) => threadsOf(pid).includes(thread)));
      await frozen(child, pid);
      const byHand = Object.fromEntries(vcpuThreads(pid).map((thread, index) => [String(index), runOf(pid, thread)]));
      await eventually('a reading of the stopped VM', async () => isDeepStrictEqual(await told(id, own), byHand));
    }

    it('is known without names', async () => {
      const child = await startQemu(machines, [...MACHINE, '-smp', '2']);
      await expectToldByKvm(child, child.pid);
    });

    it('has the numbers that everybody else uses, where KVM’s have gaps', async () => {
      const child = await startQemu(machines, [...MACHINE, '-smp', '6,sockets=2,cores=3,threads=1', ...NAMED]);
      await expectToldByKvm(child, child.pid);
      const { id } = await own.find(child.pid);
      expect(Object.keys((await told(id, own)) ?? {})).toEqual(['0', '1', '2', '3', '4', '5']);
    });

    it('comes with what KVM counts, unless the kernel is locked down', async () => {
      const child = await startQemu(machines, [...MACHINE, '-smp', '2']);
      const { id } = await own.find(child.pid);
      const exits = async (): Promise<unknown> => JSON.parse(await own.read(`/instances/${id}/stats`)).exits?.kvm?.total ?? null;
      const byHand = (): number => Number(inDebugfs(`cat /sys/kernel/debug/kvm/${child.pid}-*/exits || echo refused`));
      if (Number.isNaN(byHand())) {
        await eventually('a look at it', async () => (await told(id, own)) !== null);
        expect(await exits()).toBeNull();
        return;
      }
      const before = byHand();
      await eventually('exits since then', async () => Number((await exits()) ?? Number.NaN) > before);
      expect(Number(await exits())).toBeLessThanOrEqual(byHand());
    });

    it('is the same that the VMM says, in thread ids of its own PID namespace', async () => {
      // A door that no other agent on this machine takes for its own.
      const door = join(nothing, 'door-of-this-test.sock');
      const monitor = ['-qmp', `unix:${door},server=on,wait=off`];
      const outer = await startQemu(machines, [...MACHINE, '-smp', '2', ...monitor], {
        through: ['unshare', '--pid', '--fork', '--kill-child=SIGKILL', '--'],
      });
      const pid = await eventually('QEMU in its namespace', () =>
        childrenOf(outer.pid).find((one) => readFileSync(`/proc/${one}/cmdline`, 'latin1').startsWith(QEMU)),
      );
      // No debugfs here: the VMM alone can tell.
      const deaf = await AgentProcess.start(machines, {
        flags: { 'path.sysfs': nothing, 'vmm.interval': '1s', 'vmm.deadline': '10s', 'vmm.qmp-reserved': door },
      });
      const { id } = await deaf.find(pid);
      const threads = await eventually('threads of both vCPUs', () => {
        const found = vcpuThreads(pid);
        return found.every((thread) => threadsOf(pid).includes(thread)) ? found : undefined;
      });
      await eventually('what the VMM says', async () => {
        if ((await told(id, deaf)) !== null) return true;
        throw new Error(JSON.stringify((await deaf.stats(id)).collectors.vmm));
      });
      process.kill(pid, 'SIGSTOP');
      await eventually(`process ${pid} to stop`, () =>
        threads.every((thread) => /\) T /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1'))),
      );
      const byHand = Object.fromEntries(threads.map((thread, index) => [String(index), runOf(pid, thread)]));
      await eventually('a reading of the stopped VM', async () => isDeepStrictEqual(await told(id, deaf), byHand));
    });
  });
});
