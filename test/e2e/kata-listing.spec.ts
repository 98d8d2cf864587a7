import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Agent } from './agent.js';
import { expectProblem } from './problem.js';
import {
  ABANDONED,
  BOOTING,
  CACHE,
  DATABASE,
  JOINED_CONTAINERS,
  OF_RUNC,
  QUEUE,
  SANDBOXES,
  SHOP,
  STAGING,
  STALE,
  seriesOf,
} from './sandboxes.js';
import { rootOf, STORIES, story } from './stories.js';
import { parseStrictly } from './strict-exposition.js';

const agents = new Map<string, Agent>();
beforeAll(async () => {
  for (const { name } of STORIES.filter((one) => one.name.startsWith('kata-'))) agents.set(name, await Agent.start(rootOf(story(name))));
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
const page = async (at: { readonly story: string }) => parseStrictly(await on(at).text('/metrics'), 'text');

describe('an id', () => {
  it('may be the name of the pod, or its beginning', async () => {
    for (const { story: name, id, pod } of [DATABASE, QUEUE, CACHE]) {
      for (const word of [pod.name, id.slice(0, 12)]) expect(await json({ story: name }, `/instances/${word}`)).toMatchObject({ id });
    }
  });

  it('is ambiguous as the name of two pods, in whatever namespaces they are', async () => {
    for (const rest of ['', '/stats', '/metrics']) expectProblem(await on(SHOP).get(`/instances/web-0${rest}`), 'ambiguous');
    expect(await json(SHOP, `/instances/${STAGING.id.slice(0, 4)}`)).toMatchObject({ id: STAGING.id });
  });

  it('of a container that joined a sandbox is nobody’s', async () => {
    for (const [name, id] of Object.entries(JOINED_CONTAINERS)) {
      expectProblem(await on({ story: name }).get(`/instances/${id}`), 'not_found', `Container ID (${id}) does not exist`);
      expect(await on({ story: name }).text('/metrics')).not.toContain(id);
      expect(await on({ story: name }).text('/sandboxes')).not.toContain(id);
    }
  });
});

describe('what is no running sandbox', () => {
  const directories = async (at: { readonly story: string }): Promise<Record<string, number>> => {
    const samples = (await page(at)).get('vmgauge_kata_directories')?.samples ?? [];
    return Object.fromEntries(
      samples.map(({ labels, value }) => [`${labels.get('root')?.replace(/^.*\/run\//, '')} ${labels.get('state')}`, value]),
    );
  };

  it('is counted by what it is: a directory that a shim left behind', async () => {
    expect(await directories(STALE)).toEqual({ 'vc/sbs live': 1, 'vc/sbs stale': 1, 'vc/sbs phantom': 0 });
    expectProblem(await on(STALE).get(`/instances/${STALE.id}`), 'not_found');
    expect(await on(STALE).text('/sandboxes')).toBe(`${DATABASE.id}\n`);
    const texts = await Promise.all(['/metrics', '/instances', '/stats'].map((path) => on(STALE).text(path)));
    for (const text of texts) expect(text).not.toMatch(new RegExp(`"${STALE.id}"|"pid": ?${STALE.pid}\\b`));
  });

  it('is counted by what it is: a directory that never was Kata’s, and no root of jails', async () => {
    expect(await directories(QUEUE)).toEqual({ 'kata live': 2, 'kata stale': 0, 'kata phantom': 1 });
    expect(await directories(SHOP)).toEqual({ 'vc/sbs live': 2, 'vc/sbs stale': 0, 'vc/sbs phantom': 0 });
  });

  it('is not listed where it is another runtime’s', async () => {
    const { instances } = await json(OF_RUNC, '/instances');
    expect(instances.map(({ id }: { id: string }) => id)).toEqual([DATABASE.id]);
    expectProblem(await on(OF_RUNC).get('/instances/front-1'), 'not_found');
  });

  it.each([
    { ...ABANDONED, name: 'batch-7', state: 'unknown', hypervisor: 'qemu' },
    { ...BOOTING, name: 'cache-4', state: 'initializing', hypervisor: 'unknown' },
  ])('is listed as $state and never as running: a shim without a VMM', async ({ story: name, id, ...expected }) => {
    const { name: podName, state, hypervisor } = expected;
    expect(await json({ story: name }, `/instances/${id}`)).toMatchObject({
      name: podName,
      state,
      hypervisor,
      pid: null,
      started_at: null,
    });
    const lines = (await on({ story: name }).text('/metrics')).split('\n').filter((line) => line.includes(id));
    expect(lines).toContain(`vmgauge_instance_up{instance_id="${id}"} 0`);
    expect(lines.filter((line) => /^(kata|hypeman)_/.test(line))).toEqual([]);
    expect(await on({ story: name }).text('/sandboxes')).not.toContain(id);
    expectProblem(await on({ story: name }).get(`/instances/${id}/metrics`), 'not_found', `Container ID (${id}) does not exist`);
  });
});

describe('whatever the files hold', () => {
  it('says nothing of a container’s environment', async () => {
    for (const sandbox of SANDBOXES) {
      const paths = ['/metrics', '/instances', '/stats', `/instances/${sandbox.id}`, `/instances/${sandbox.id}/stats`, '/'];
      for (const path of paths) expect(await on(sandbox).text(path)).not.toMatch(/never-to-be-shown|DATABASE_PASSWORD/);
    }
  });

  it('leaves the pod’s labels out where that is asked for, and sandbox_id never', async () => {
    const agent = await Agent.start(rootOf(story(DATABASE.story)), { settings: { kataCriLabels: false } });
    const text = await agent.text('/metrics');
    await agent.stop();
    expect(text).not.toMatch(/cri_(uid|name|namespace)=/);
    expect(text).toContain(`kata_shim_threads{sandbox_id="${DATABASE.id}"} 4\n`);
  });

  it('prints the memory of proc_status in KiB where that is asked for, and nothing else', async () => {
    const agent = await Agent.start(rootOf(story(SHOP.story)), { settings: { kataProcStatusUnit: 'kib' } });
    const inKib = seriesOf(parseStrictly(await agent.text('/metrics'), 'text'), SHOP.id);
    await agent.stop();
    const inBytes = seriesOf(await page(SHOP), SHOP.id);
    for (const [series, value] of inKib) {
      const memory = series.includes('_proc_status') && !series.includes('ctxt_switches');
      expect([series, value]).toEqual([series, memory ? (inBytes.get(series) ?? Number.NaN) / 1024 : inBytes.get(series)]);
    }
    expect(inKib.get('kata_hypervisor_proc_status{item="vmhwm"}')).toBeGreaterThan(900_000);
  });
});
