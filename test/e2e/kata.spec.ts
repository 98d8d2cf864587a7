import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KataFiles } from '../kata-files.js';
import { Agent } from './agent.js';
import { keyOf, type RecordedSandbox, readingsOf, SANDBOXES, seriesOf } from './sandboxes.js';
import { rootOf, STORIES, story } from './stories.js';
import { parseStrictly } from './strict-exposition.js';

/** More than any collector waits for its next turn, in steps. */
const SWEEPS = 8;
const STEP_MS = 10_000;

const agents = new Map<string, Agent>();
beforeAll(async () => {
  for (const { name } of STORIES.filter((one) => one.name.startsWith('kata-'))) {
    const agent = await Agent.start(rootOf(story(name)));
    await agent.sweep(SWEEPS, STEP_MS);
    agents.set(name, agent);
  }
});
afterAll(async () => {
  for (const agent of agents.values()) await agent.stop();
});

function on({ story: name }: { readonly story: string }): Agent {
  const agent = agents.get(name);
  if (!agent) throw new Error(`no agent on ${name}`);
  return agent;
}
const json = async (at: { readonly story: string }, path: string) => JSON.parse(await on(at).text(path));
const page = async (at: { readonly story: string }, path = '/metrics') => parseStrictly(await on(at).text(path), 'text');
const filesOf = ({ story: name }: RecordedSandbox): KataFiles => new KataFiles(join(rootOf(story(name)), 'proc'));

describe.each(SANDBOXES)('the sandbox $pod.name of $pod.namespace in $story', (sandbox) => {
  const { id, pod, shim, vmm, virtiofsd, waiting, guestRam } = sandbox;
  const files = filesOf(sandbox);

  it('has every number of its files under Kata’s names, and no other', async () => {
    const expected = readingsOf(sandbox, files);
    const found = new Map([...seriesOf(await page(sandbox), id)].filter(([series]) => !series.startsWith('kata_shim_pod_overhead_')));
    expect(Object.fromEntries([...found].sort())).toEqual(Object.fromEntries([...expected].sort()));
  });

  it('has the interfaces of its own network namespace and none of the host’s', async () => {
    const { interfaces } = (await json(sandbox, `/instances/${id}/stats`)).shim;
    expect(interfaces.map(({ name }: { name: string }) => name)).toEqual(['eth0', 'lo', 'tap0_kata']);
    const names = new Set(
      [...(await page(sandbox)).values()].flatMap(({ samples }) => samples.map(({ labels }) => labels.get('interface'))),
    );
    for (const name of files.interfaceNames('1/net/dev').filter((one) => one !== 'lo')) expect(names).not.toContain(name);
  });

  it('has its processes in their roles', async () => {
    const { processes } = await json(sandbox, `/instances/${id}`);
    const roles = processes.map(({ role, pid }: { role: string; pid: number }) => [role, pid]);
    expect(roles).toEqual([['vmm', vmm], ['shim', shim], ...(virtiofsd === undefined ? [] : [['virtiofsd', virtiofsd]])]);
  });

  it('has the pod on each of its series, in kata-monitor’s order', async () => {
    const labels = [id, pod.uid, pod.name, pod.namespace];
    const own = [...(await page(sandbox)).values()].flatMap(({ samples }) => samples.filter((one) => one.labels.get('sandbox_id') === id));
    expect(own.length).toBeGreaterThan(100);
    for (const sample of own) {
      const last = [...sample.labels].slice(-4);
      expect([sample.line, last]).toEqual([
        sample.line,
        ['sandbox_id', 'cri_uid', 'cri_name', 'cri_namespace'].map((name, i) => [name, labels[i]]),
      ]);
    }
  });

  it('counts as overhead what is resident in its processes without guest RAM', async () => {
    const without = (pid: number | undefined): number =>
      pid === undefined ? 0 : files.residentWithout(pid, (path) => guestRam.test(path) || isShared(path));
    const found = seriesOf(await page(sandbox), id, /overhead_memory|guest_ram/);
    const own = { shim: without(shim), vmm: without(vmm), virtiofsd: without(virtiofsd) + without(waiting) };
    const separate = vmm !== shim;
    const parts = `vmgauge_sandbox_overhead_memory_bytes{component=`;
    expect(Object.fromEntries(found)).toEqual({
      kata_shim_pod_overhead_memory_in_bytes: own.shim + (separate ? own.vmm + own.virtiofsd : 0),
      [`${parts}"shim"}`]: own.shim,
      ...(separate ? { [`${parts}"vmm"}`]: own.vmm, [`${parts}"virtiofsd"}`]: own.virtiofsd } : {}),
      vmgauge_sandbox_guest_ram_backed_bytes: files.guestRam(vmm, (path) => guestRam.test(path) || isShared(path)),
    });
  });

  it('counts as overhead the CPU time of all its threads but the vCPUs', async () => {
    const found = seriesOf(await page(sandbox), id, /^vmgauge_sandbox_(overhead_cpu|vcpu)/);
    const threads = files.threads(vmm);
    const ticks = (pids: readonly (number | undefined)[]): number =>
      pids.reduce((sum: number, pid) => sum + (pid === undefined ? 0 : files.ticks(pid)), 0);
    const sum = (of: typeof threads): number => of.reduce((all, one) => all + one.ticks, 0);
    const vcpus = threads.filter(({ guestTicks }) => guestTicks > 0);
    const others = sum(threads.filter(({ guestTicks }) => guestTicks === 0));
    const vhost = ticks([sandbox.vhost]);
    const separate = vmm !== shim;
    const overhead = 'vmgauge_sandbox_overhead_cpu_seconds_total{component=';
    expect(Object.fromEntries(found)).toEqual({
      vmgauge_sandbox_vcpu_seconds_total: sum(vcpus) / 100,
      [`${overhead}"shim"}`]: (separate ? ticks([shim]) : others) / 100,
      ...(separate
        ? { [`${overhead}"vmm"}`]: (others + vhost) / 100, [`${overhead}"virtiofsd"}`]: ticks([virtiofsd, waiting]) / 100 }
        : {}),
    });
    expect(seriesOf(await page(sandbox), id, /^kata_shim_pod_overhead_cpu$/)).toEqual(new Map([['kata_shim_pod_overhead_cpu', 0]]));
  });

  it('is asked alone as kata-runtime metrics prints it: no label added, the shim’s own names', async () => {
    const all = seriesOf(await page(sandbox), id);
    const alone = [...(await page(sandbox, `/instances/${id}/metrics`)).values()].flatMap(({ samples }) => samples);
    const own = alone.filter(({ name }) => /^(kata|process)_/.test(name));
    for (const sample of own)
      expect([sample.line, sample.labels.has('sandbox_id') || sample.labels.has('cri_uid')]).toEqual([sample.line, false]);
    expect(new Map(own.map((sample) => [keyOf(sample).replace(/^process_/, 'kata_shim_process_'), sample.value]))).toEqual(all);
    expect(alone.filter(({ name }) => name.startsWith('kata_shim_process_'))).toEqual([]);
  });

  it('says in the document what it says on the page', async () => {
    const { shim: document } = await json(sandbox, `/instances/${id}/stats`);
    const series = seriesOf(await page(sandbox), id);
    const value = (name: string): number | undefined => series.get(name);
    expect(document).toMatchObject({
      pid: shim,
      pod,
      threads: value('kata_shim_threads'),
      open_fds: value('kata_shim_fds'),
      max_fds: value('kata_shim_process_max_fds'),
      memory: { rss_bytes: value('kata_shim_proc_status{item="vmrss"}') },
      overhead: { memory_bytes: value('kata_shim_pod_overhead_memory_in_bytes'), cpu_percent: value('kata_shim_pod_overhead_cpu') },
    });
    expect(document.cpu.user_seconds).toBe((value('kata_shim_proc_stat{item="utime"}') ?? Number.NaN) / 100);
    expect(document.interfaces[0].recv_bytes).toBe(value('kata_shim_netdev{interface="eth0",item="recv_bytes"}'));
  });
});

/** Shared memory that is no guest RAM, such as rings of a device: on neither side of the overhead's definition. */
function isShared(path: string): boolean {
  return path.startsWith('/memfd:vring');
}
