import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { eventually } from './eventually.js';
import { BASICS, compiler, describeWith, expectOfMachine, kvm, qemu } from './needs.js';
import { memberAt, numberAt } from './numbers.js';
import { PidNamespace } from './pid-namespace.js';
import { IDLE_MACHINE, startQemu } from './real-qemu.js';
import { StandIn, StandInPrograms } from './stand-in.js';

const MIB = 2 ** 20;
const RAM_MIB = 64;
const RAM = RAM_MIB * MIB;
/** Firmware, display and the like, which are guest memory as well. */
const SMALL_BLOCKS = 32 * MIB;
const HUGE_PAGES = '/proc/sys/vm/nr_hugepages';

/** Pages of 2 MiB for one test, given back after it. @returns false where the machine has not so many in one piece */
function reserveHugePages(belongings: Belongings, count: number): boolean {
  const before = Number(readFileSync(HUGE_PAGES, 'utf8'));
  belongings.own(() => writeFileSync(HUGE_PAGES, String(before)));
  writeFileSync(HUGE_PAGES, String(before + count));
  return Number(readFileSync(HUGE_PAGES, 'utf8')) >= before + count;
}

const sum = (text: string, lines: RegExp): number => [...text.matchAll(lines)].reduce((total, [, kib]) => total + Number(kib) * 1024, 0);

// Agent: root. Nothing runs in the machines, so their memory stands still. In a pid namespace of its own it has nobody else's VMs to read.
describeWith('memory of real QEMUs, split', [...BASICS, builtAgent, compiler, kvm, qemu], () => {
  const belongings = new Belongings();
  let programs: StandInPrograms;
  let namespace: PidNamespace;
  let agent: AgentProcess;
  beforeAll(async () => {
    programs = new StandInPrograms(belongings);
    namespace = await PidNamespace.start(belongings, programs.launcher);
    agent = await AgentProcess.start(belongings, {
      flags: { 'collector.memory_breakdown': 'true', 'collector.pss.interval': '1s' },
      through: namespace.entrance,
    });
  });
  afterAll(() => belongings.release());

  /** The breakdown of a process once it is that of its mappings as they are. */
  const pidOf = (id: string): Promise<number> =>
    eventually(`${id} is listed`, async () => (await agent.list()).find((one) => one.id === id)?.pid ?? undefined);

  async function breakdownOf(id: string, leastGuest = 0): Promise<(word: string) => number> {
    const pid = await pidOf(id);
    const document = await eventually(`the breakdown of ${id}`, async () => {
      const smaps = readFileSync(`${namespace.proc}/${pid}/smaps`, 'utf8');
      const stats = await agent.stats(id);
      const resident = memberAt(stats, 'memory.breakdown.resident_bytes');
      const guest = memberAt(stats, 'memory.breakdown.guest_resident_bytes');
      if (typeof guest !== 'number' || guest < leastGuest) return undefined;
      return resident === sum(smaps, /^(?:Rss|Private_Hugetlb|Shared_Hugetlb): +(\d+) kB$/gm) ? stats : undefined;
    });
    const value = (word: string): number => numberAt(document, `memory.breakdown.${word}_bytes`);
    expect(value('guest_resident') + value('overhead')).toBe(value('resident'));
    expect(value('guest_resident') + value('guest_swapped') + value('guest_untouched')).toBe(value('guest_mapped'));
    expect(numberAt(document, 'memory.breakdown.age_seconds')).toBeGreaterThanOrEqual(0);
    const parts = ['guest', 'overhead'].map((part) =>
      agent.sample(`vmgauge_vm_memory_breakdown_bytes{part="${part}",instance_id="${id}"}`),
    );
    expect(await Promise.all(parts)).toEqual([value('guest_resident'), value('overhead')]);
    return value;
  }

  async function machine(memory: string, own: Belongings = belongings): Promise<(word: string) => number> {
    const id = randomUUID();
    const backend = ['-object', `${memory},id=ram,size=${RAM_MIB}M`, '-machine', 'memory-backend=ram', '-m', String(RAM_MIB)];
    await startQemu(own, [...IDLE_MACHINE, '-uuid', id, ...backend], { through: namespace.entrance });
    // It is listed before all of it is allocated.
    return breakdownOf(id, memory.includes('prealloc=on') ? RAM : 0);
  }

  it.each([
    ['private', 'memory-backend-ram'],
    ['of a memfd that others map too', 'memory-backend-memfd,share=on'],
  ])('guest RAM that is %s is all there when it was allocated at the start', async (_, backend) => {
    const value = await machine(`${backend},prealloc=on`);
    expect(value('guest_resident')).toBeGreaterThanOrEqual(RAM);
    expect(value('guest_resident')).toBeLessThan(RAM + SMALL_BLOCKS);
    expect(value('guest_mapped')).toBeGreaterThanOrEqual(RAM);
    expect(value('overhead')).toBeGreaterThan(MIB);
  });

  it('guest RAM that nobody wrote to is untouched', async () => {
    const value = await machine('memory-backend-ram');
    expect(value('guest_untouched')).toBeGreaterThanOrEqual(RAM);
    expect(value('guest_resident')).toBeLessThan(RAM);
  });

  it('guest RAM on hugetlbfs is there although no resident size has it', async (context) => {
    const own = new Belongings();
    try {
      expectOfMachine(context, reserveHugePages(own, RAM_MIB / 2), 'the kernel has no huge pages to give');
      const value = await machine('memory-backend-memfd,share=on,hugetlb=on,prealloc=on', own);
      expect(value('guest_huge')).toBeGreaterThanOrEqual(RAM);
      expect(value('guest_resident')).toBeGreaterThanOrEqual(RAM);
      expect(value('overhead')).toBeGreaterThan(MIB);
    } finally {
      await own.release();
    }
  });

  it('is unsupported where nothing says what is guest RAM', async () => {
    const id = randomUUID();
    await StandIn.start(belongings, [...namespace.entrance, programs.named('firecracker'), '--id', id, '--no-api'], ['kvm 1']);
    await pidOf(id);
    const stats = await eventually('a reading', async () => {
      const now = await agent.stats(id);
      return now.collectors.memory_breakdown?.outcome === 'absent' ? now : undefined;
    });
    expect(stats.collectors.memory_breakdown).toMatchObject({ reason: 'unsupported' });
    for (const word of ['resident', 'guest_resident', 'overhead'])
      expect(memberAt(stats, `memory.breakdown.${word}_bytes`) ?? null).toBeNull();
  });
});
