import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { seriesOf } from '../e2e/sandboxes.js';
import { parseStrictly } from '../e2e/strict-exposition.js';
import { Belongings } from './belongings.js';
import { Child } from './child.js';
import { eventually } from './eventually.js';
import { CUT_SECONDS, KATA_NEEDS, KataHost, podOf } from './kata-host.js';
import { describeWith } from './needs.js';
import { StandIn } from './stand-in.js';

const MANY = 100;

// Agent: root. The test: CAP_SYS_ADMIN for namespaces; choosing a pid needs it or CAP_CHECKPOINT_RESTORE over the pid namespace.
describeWith('the lives of Kata sandboxes', KATA_NEEDS, () => {
  const belongings = new Belongings();
  let host: KataHost;

  beforeAll(async () => {
    host = await KataHost.start(belongings, 0);
  });
  afterAll(() => belongings.release());

  it('lose their series whole when the VMM is killed in the middle of scrapes, and nobody else does', async () => {
    const other = await host.startCloudHypervisor();
    const { id, vmm, shim } = await host.startCloudHypervisor();
    await eventually('all collectors', async () => !JSON.stringify((await host.agent.stats(id)).collectors).includes('busy'));
    const whole = [...(await host.series(id)).keys()];
    const others = [...(await host.series(other.id)).keys()];
    let killing = true;
    const seen: string[][] = [];
    const scraping = (async () => {
      while (killing) {
        const now = await host.page();
        expect([...seriesOf(now, other.id).keys()]).toEqual(others);
        seen.push([...seriesOf(now, id).keys()]);
      }
    })();
    await eventually('some scrapes', () => seen.length > 3);
    host.inside.kill(vmm);
    await eventually('its end', async () => (await host.agent.stats(id)).state !== 'running');
    killing = false;
    await scraping;

    // All of them, or what a sweep finds while the process goes away: never one that was not there before.
    expect(seen.flat().filter((name) => !whole.includes(name))).toEqual([]);
    expect(await host.series(id, /./)).toEqual(new Map());
    expect(await host.agent.ask(`/instances/${id}/metrics`)).toMatchObject({
      status: 404,
      body: expect.stringContaining(`Container ID (${id}) does not exist`),
    });
    expect((await host.detail(id)).pid).toBeNull();
    expect(await host.agent.read('/sandboxes')).not.toContain(id);
    host.inside.kill(shim);
  });

  it('keep their VMM and its generation when the shim is started anew, and never mix the two shims', async () => {
    const { id, shim, vmm, shimProcess, ...rest } = await host.startCloudHypervisor(['grow 30', 'burn 400']);
    await eventually(
      'the first shim',
      async () => ((await host.series(id)).get('kata_shim_process_cpu_seconds_total') ?? 0) >= 0.4 - CUT_SECONDS,
    );
    host.inside.kill(shim);
    await eventually('no shim', async () => !('shim' in (await host.rolesOf(id))));
    expect([...(await host.series(id)).keys()].filter((name) => /^kata_shim_(?!netdev)/.test(name))).toEqual([]);
    expect([...(await host.series(id)).keys()]).toContain('kata_hypervisor_threads');
    const next = await host.startShim(id, ['descriptors 20']);
    const [pid] = await next.tell('pid');
    host.tree.go({ ...rest, id, shim: pid, vmm });
    await eventually('the next shim', async () => (await host.rolesOf(id)).shim === pid);
    await host.agree(id, () => host.files.ofProcess('shim', pid));

    expect(await host.detail(id)).toMatchObject({ state: 'running', pid: vmm, generation: 1 });
    expect((await host.series(id)).get('kata_shim_process_cpu_seconds_total')).toBeLessThan(0.3);
  });

  it('never show the next owner of a pid of theirs', async () => {
    const { id, shim, vmm } = await host.startCloudHypervisor();
    const seen: string[] = [];
    let watching = true;
    const watch = (async () => {
      while (watching) seen.push(await host.agent.read('/metrics'));
    })();
    for (const pid of [vmm, shim]) {
      host.inside.kill(pid);
      await eventually(`the end of ${pid}`, () => !host.isAlive(pid));
      const words = [
        ...host.inside.entrance,
        host.programs.launcher,
        'at-pid',
        String(pid),
        '--',
        host.programs.named('stranger'),
        'stranger',
      ];
      const stranger = await StandIn.start(belongings, words, ['descriptors 777', 'burn 300']);
      expect(await stranger.tell('pid')).toEqual([pid]);
    }
    await host.agent.rescanned();
    await host.agent.rescanned();
    watching = false;
    await watch;

    const strange = seen.flatMap((text) =>
      [...seriesOf(parseStrictly(text, 'text'), id)].filter(([name, value]) => /_(shim|hypervisor)_fds$/.test(name) && value > 700),
    );
    expect(strange).toEqual([]);
    expect(await host.series(id, /./)).toEqual(new Map());
    expect((await host.agent.list()).filter(({ pid }) => pid === vmm || pid === shim)).toEqual([]);
  });

  it('are over when their directories are gone and their processes ended, without a trace', async () => {
    const { id, shim, vmm } = await host.startCloudHypervisor();
    host.tree.remove(id);
    await host.agent.rescanned();
    // Files alone neither make a VM nor end one.
    expect(await host.detail(id)).toMatchObject({ id, state: 'running', pid: vmm });
    host.inside.kill(vmm);
    host.inside.kill(shim);
    await eventually('its end', async () => (await host.detail(id)).pid === null);
    expect(await host.series(id, /./)).toEqual(new Map());
    expect(await host.agent.read('/sandboxes')).not.toContain(id);
  });

  it('are counted as stale when only their directory is left, until that goes as well', async () => {
    const { id, shim, vmm } = await host.startCloudHypervisor();
    const stale = async (): Promise<number> =>
      (await host.page())
        .get('vmgauge_kata_directories')
        ?.samples.find(({ labels }) => labels.get('state') === 'stale' && labels.get('root')?.endsWith('vc/sbs'))?.value ?? Number.NaN;
    const before = await stale();
    host.inside.kill(vmm);
    host.inside.kill(shim);
    await eventually('a stale directory', async () => (await stale()) === before + 1);
    expect((await host.agent.list()).find((one) => one.id === id)?.state).not.toBe('running');
    host.tree.remove(id);
    await eventually('none', async () => (await stale()) === before);
  });

  it('may be a hundred, each with its own numbers, and leave no descriptor behind', async () => {
    const base = await least();
    const prefix = randomBytes(31).toString('hex');
    const ids = Array.from({ length: MANY }, (_, i) => `${prefix}-${i}`);
    const shimArgv = ['containerd-shim-kata-v2', '-namespace', 'k8s.io', '-address', '/x', '-publish-binary', '/y', '-id', `${prefix}-%d`];
    const swarm = await Child.start(
      [
        ...host.inside.entrance,
        host.programs.launcher,
        'swarm',
        String(MANY),
        '--',
        host.programs.named('containerd-shim-kata-v2'),
        ...shimArgv,
      ],
      {
        env: {
          STAND_IN: `spawn new kvm~1 ${host.cloudHypervisorWords}`,
          STAND_IN_STAYS: '1',
        },
      },
    );
    belongings.own(() => swarm.kill());
    for (let ready = 0; ready < MANY; ready++) await swarm.lineThat(/^ready$/);
    const shims = new Map(
      host.inside.processes().flatMap(({ pid, argv }) => (ids.includes(argv.at(-1) ?? '') ? [[argv.at(-1) ?? '', pid]] : [])),
    );
    expect(shims.size).toBe(MANY);
    for (const id of ids)
      host.tree.go({
        id,
        shim: shims.get(id) ?? Number.NaN,
        kind: 'clh',
        vmm: host.childOf(shims.get(id) ?? Number.NaN),
        netns: '/run/netns/none',
        pod: podOf(id),
      });
    await eventually(
      'all of them',
      async () => (await host.agent.read('/sandboxes')).split('\n').filter((id) => id.startsWith(prefix)).length === MANY,
    );
    const readings = await eventually('numbers of all of them', async () => {
      const now = await host.page();
      const all = ids.map((id) => seriesOf(now, id));
      return (
        all.every((one) => one.has('kata_shim_proc_status{item="vmrss"}') && one.has('kata_hypervisor_proc_status{item="vmrss"}')) && all
      );
    });
    for (const [i, id] of ids.entries()) {
      const start = host.files.ofProcess('shim', shims.get(id) ?? Number.NaN).get('kata_shim_process_start_time_seconds');
      expect([id, readings[i].get('kata_shim_process_start_time_seconds')]).toEqual([id, start]);
      expect(new Set([...readings[i].keys()].map((name) => /interface="([^"]*)"/.exec(name)?.[1]))).toEqual(new Set([undefined, 'lo']));
    }
    const pods = new Map((await host.agent.list()).map(({ id, name }) => [id, name]));
    for (const id of ids) expect(pods.get(id)).toBe(`pod-${id.slice(0, 8)}`);
    for (const shim of shims.values()) {
      host.inside.kill(host.childOf(shim) ?? Number.NaN);
      host.inside.kill(shim);
    }
    for (const id of ids) host.tree.remove(id);
    await eventually('none of them', async () => !(await host.agent.read('/sandboxes')).includes(prefix));
    await eventually('the descriptors it had before', async () => (await least()) <= base);
  });

  /** Descriptors of a sweep under way come and go. */
  async function least(): Promise<number> {
    const looks: number[] = [];
    for (let look = 0; look < 10; look++) {
      looks.push(host.agent.descriptors().length);
      await host.agent.read('/livez');
    }
    return Math.min(...looks);
  }
});
