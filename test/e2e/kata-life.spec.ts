import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { KataFiles, type Readings } from '../kata-files.js';
import { Agent } from './agent.js';
import { CopiedHost } from './copy.js';
import { systemError } from './faults.js';
import { expectProblem } from './problem.js';
import { readingsOf, SHOP, STAGING, seriesOf } from './sandboxes.js';
import { parseStrictly } from './strict-exposition.js';

const { id, shim, vmm, virtiofsd = Number.NaN, waiting = Number.NaN } = SHOP;
/** More than any collector waits for its next turn, in steps. */
const SWEEPS = 8;
const STEP_MS = 10_000;

let host: CopiedHost;
let agent: Agent;
let files: KataFiles;
beforeEach(async () => {
  host = new CopiedHost(SHOP.story);
  agent = await Agent.start(host.root);
  files = new KataFiles(host.path('proc'));
  await agent.sweep(SWEEPS, STEP_MS);
});
afterEach(async () => {
  await agent.stop();
  host.remove();
});

const json = async (path: string) => JSON.parse(await agent.text(path));
const series = async (of = id, wanted?: RegExp): Promise<Readings> =>
  seriesOf(parseStrictly(await agent.text('/metrics'), 'text'), of, wanted);
const named = (readings: Readings, pattern: RegExp): string[] => [...readings.keys()].filter((name) => pattern.test(name));
const rolesOf = async (of = id): Promise<Record<string, number>> => {
  const { processes } = await json(`/instances/${of}`);
  return Object.fromEntries(processes.map(({ role, pid }: { role: string; pid: number }) => [role, pid]));
};

/** The process is reaped: who holds it gets ESRCH, and its directory is gone. */
function reap(pid: number): void {
  agent.host.faults.break(new RegExp(`^proc/${pid}/`), { error: systemError('ESRCH', `process ${pid}`) });
  rmSync(host.path('proc', String(pid)), { recursive: true });
}

/** In place, so that who holds the file sees it. @param change of fields by their place in proc_pid_stat(5) */
function rewriteStat(path: string, change: Readonly<Record<number, string | number>>): void {
  const [head, tail] = readFileSync(host.path('proc', path), 'latin1').split(') ');
  const fields = tail.split(' ');
  for (const [place, value] of Object.entries(change)) fields[Number(place) - 3] = String(value);
  writeFileSync(host.path('proc', path), `${head}) ${fields.join(' ')}`);
}

/** A process takes a pid: the files of another one under it, started later. @param argv instead of the other's */
function take(pid: number, from: number, argv?: readonly string[]): void {
  cpSync(host.path('proc', String(from)), host.path('proc', String(pid)), { recursive: true, verbatimSymlinks: true });
  renameSync(host.path('proc', `${pid}/task/${from}`), host.path('proc', `${pid}/task/${pid}`));
  const own = (file: string, text: (old: string) => string): void =>
    writeFileSync(host.path('proc', `${pid}/${file}`), text(readFileSync(host.path('proc', `${pid}/${file}`), 'latin1')));
  own('stat', (line) => line.replace(/^\d+/, String(pid)));
  rewriteStat(`${pid}/stat`, { 22: 300_000 });
  if (argv) own('cmdline', () => `${argv.join('\0')}\0`);
}

it('loses with its shim what the shim tells, and keeps what the VMM and virtiofsd tell', async () => {
  const before = await series();
  reap(shim);
  await agent.sweep();
  expect(named(await series(), /^kata_shim_(threads|proc_stat\{|fds|io_stat|process_(cpu|open))/)).toEqual([]);
  for (const look of ['rescan', 'sweep'] as const) {
    await agent[look]();
    const now = await series();
    expect(named(now, /^kata_shim_(?!netdev)/)).toEqual([]);
    expect(named(now, /^kata_(hypervisor|virtiofsd|shim_netdev)/)).toEqual(named(before, /^kata_(hypervisor|virtiofsd|shim_netdev)/));
    expect(await json(`/instances/${id}/stats`)).toMatchObject({
      state: 'running',
      shim: { threads: null, open_fds: null, overhead: { cpu_percent: null } },
      collectors: { shim: { outcome: 'absent', reason: 'gone' }, kata_vmm: { outcome: 'ok' }, cpu: { outcome: 'ok' } },
    });
  }
  expect(await json(`/instances/${id}/stats`)).toMatchObject({ shim: { pid: null } });
  expect(await series(STAGING.id)).toEqual(readingsWithOverhead(await series(STAGING.id)));
});

/** The other sandbox as its files say, whatever happens to this one. */
function readingsWithOverhead(found: Readings): Readings {
  const overhead = [...found].filter(([name]) => name.startsWith('kata_shim_pod_overhead'));
  const expected = new Map([...readingsOf(STAGING, files), ...overhead]);
  return new Map([...found.keys()].flatMap((name) => (expected.has(name) ? [[name, expected.get(name) ?? Number.NaN]] : [])));
}

it('leaves its closing sample when the VMM ends, and no series but that it is down', async () => {
  const before = await json(`/instances/${id}/stats`);
  rewriteStat(`${vmm}/stat`, { 3: 'Z', 14: 90_000, 15: 1234, 20: 1, 23: 0 });
  await agent.sweep();
  const stats = await json(`/instances/${id}/stats`);
  expect(stats).toMatchObject({ state: 'stopped', cpu_seconds: 912.34, memory_rss_bytes: before.memory_rss_bytes });
  reap(vmm);
  await agent.rescan();
  expect(await json(`/instances/${id}/stats`)).toMatchObject({ cpu_seconds: 912.34, memory_rss_bytes: before.memory_rss_bytes });
  expect((await json(`/instances/${id}`)).state).not.toBe('running');
  expect(await series(id, /./)).toEqual(new Map());
  expectProblem(await agent.get(`/instances/${id}/metrics`), 'not_found', `Container ID (${id}) does not exist`);
  expect(await agent.text('/sandboxes')).toBe(`${STAGING.id}\n`);
});

it('loses the series of a virtiofsd that ended, and has those of the one in its place once it is found', async () => {
  const before = await series();
  reap(virtiofsd);
  reap(waiting);
  await agent.sweep();
  // What is read once a minute stays until the next look at the host, two seconds at most.
  expect(named(await series(), /^kata_virtiofsd_(?!proc_status)/)).toEqual([]);
  await agent.rescan();
  const between = await series();
  expect(named(between, /^kata_virtiofsd/)).toEqual([]);
  expect(named(between, /^kata_(shim_(?!pod)|hypervisor)/)).toEqual(named(before, /^kata_(shim_(?!pod)|hypervisor)/));
  expect((await json(`/instances/${id}/stats`)).collectors).toMatchObject({ virtiofsd: { outcome: 'absent', reason: 'gone' } });
  const next = 7160;
  take(next, STAGING.virtiofsd ?? Number.NaN, [
    '/opt/kata/libexec/virtiofsd',
    '--syslog',
    `--shared-dir=/run/kata-containers/shared/sandboxes/${id}/shared`,
    '--fd=3',
  ]);
  rewriteStat(`${next}/stat`, { 4: shim, 14: 4711, 15: 815 });
  await agent.rescan();
  await agent.sweep(SWEEPS, STEP_MS);
  expect(await rolesOf()).toEqual({ vmm, shim, virtiofsd: next });
  const now = await series();
  for (const [name, value] of files.ofProcess('virtiofsd', next)) expect([name, now.get(name)]).toEqual([name, value]);
  expect(now.get('kata_virtiofsd_proc_stat{item="utime"}')).toBe(4711);
});

it.each([
  ['the shim', shim, 'shim'],
  ['virtiofsd', virtiofsd, 'virtiofsd'],
  ['the VMM', vmm, 'vmm'],
] as const)('never shows a stranger who got the pid of %s', async (_, pid, role) => {
  const strangers = 6666;
  const comm = readFileSync(host.path('proc', `${pid}/comm`), 'latin1');
  reap(pid);
  if (role === 'virtiofsd') reap(waiting);
  // A VMM whose files are kept open would seem to live on: a recorded file can still be read when it is gone.
  if (role === 'vmm') await agent.rescan();
  agent.host.faults.mend();
  take(pid, 1, ['/usr/bin/stranger', '--of', id]);
  // It has the same name as well, as the shim of another runtime would.
  writeFileSync(host.path('proc', `${pid}/comm`), comm);
  const stat = host.path('proc', `${pid}/stat`);
  writeFileSync(
    stat,
    readFileSync(stat, 'latin1').replace(/\(.*\)/, () => `(${comm.trim()})`),
  );
  rewriteStat(`${pid}/stat`, { 14: strangers, 15: strangers });
  for (const look of ['rescan', 'sweep', 'rescan'] as const) {
    await agent[look]();
    expect(await rolesOf()).not.toHaveProperty(role);
    const text = await agent.text('/metrics');
    expect(text).not.toMatch(new RegExp(` ${strangers}$| ${(2 * strangers) / 100}$`, 'm'));
  }
});

it('is another generation with another VMM behind the same shim', async () => {
  reap(vmm);
  await agent.rescan();
  const next = 7170;
  take(
    next,
    STAGING.vmm,
    readFileSync(host.path('proc', `${STAGING.vmm}/cmdline`), 'latin1')
      .replaceAll(STAGING.id, id)
      .slice(0, -1)
      .split('\0'),
  );
  rewriteStat(`${next}/stat`, { 4: shim });
  await agent.rescan();
  expect(await json(`/instances/${id}`)).toMatchObject({ state: 'running', pid: next, generation: 2 });
  const now = await series();
  expect(now.get('kata_hypervisor_threads')).toBe(files.ofProcess('hypervisor', next).get('kata_hypervisor_threads'));
  expect(now.get('kata_hypervisor_netdev{interface="tap0_kata",item="recv_bytes"}')).toBe(
    files.interfaces('x', `${next}/net/dev`).get('x{interface="tap0_kata",item="recv_bytes"}'),
  );
});

it('shows the growth of its threads over the window as overhead, by part and in percent of one CPU', async () => {
  const windowMs = 40_000;
  const grown = (path: string, ticks: number): void => {
    const [, tail] = readFileSync(host.path('proc', path), 'latin1').split(') ');
    rewriteStat(path, { 14: Number(tail.split(' ')[11]) + ticks });
  };
  // 1000 ticks in 40 s are a quarter of a CPU.
  grown(`${shim}/stat`, 400);
  grown(`${vmm}/task/${vmm}/stat`, 600);
  grown(`${vmm}/task/${vmm + 5}/stat`, 2000);
  grown(`${SHOP.vhost}/stat`, 200);
  grown(`${virtiofsd}/stat`, 800);
  await agent.sweep(1, windowMs);
  const { overhead } = (await json(`/instances/${id}/stats`)).shim;
  const perTick = (100 * 10) / overhead.cpu_window_seconds / 1000;
  expect(overhead.cpu_window_seconds).toBeGreaterThanOrEqual(windowMs / 1000);
  const share = (ticks: number) => expect.closeTo(ticks * perTick, 3);
  expect(overhead).toMatchObject({
    cpu_percent: share(2000),
    shim_cpu_percent: share(400),
    vmm_cpu_percent: share(800),
    virtiofsd_cpu_percent: share(800),
    vcpu_cpu_percent: share(2000),
  });
  expect((await series()).get('kata_shim_pod_overhead_cpu')).toBe(overhead.cpu_percent);
  const other = (await series(STAGING.id)).get('kata_shim_pod_overhead_cpu');
  expect(other).toBe(0);
});
