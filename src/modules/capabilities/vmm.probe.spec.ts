import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProbeHost, stepsOf } from '../../../test/probe-host.js';
import { Outcome } from '../../model/outcome.js';
import type { Dialogue } from '../vmm/dialogue.js';
import type { ProbeTools } from './probe-tools.js';
import { cloudHypervisorApi, firecrackerApi, firecrackerMetrics, kataShims, qmp, stratovirtQmp } from './vmm.probe.js';

let host: ProbeHost;
/** By id of the instance. */
let standings: Map<string, Outcome>;
beforeEach(() => {
  host = new ProbeHost();
  standings = new Map();
});
afterEach(() => host.close());

const dialogue = (name: Dialogue['name'], hypervisor: Dialogue['hypervisor']): Dialogue => ({
  name,
  hypervisor,
  standing: ({ id }) => standings.get(id) ?? Outcome.ok,
  begin: () => expect.fail('nobody is asked'),
});
const tools = (): ProbeTools => ({
  ...host.tools,
  dialogues: [dialogue('qmp', 'qemu'), dialogue('cloud-hypervisor-api', 'cloud-hypervisor'), dialogue('firecracker-api', 'firecracker')],
});

describe('monitors of QEMU', () => {
  it('are missed by nobody where no QEMU runs', async () => {
    expect(await qmp.find(tools())).toMatchObject({ outcome: Outcome.gone, need: 'none', detail: 'no QEMU runs here' });
  });

  it('are enough when each has one for us', async () => {
    await host.addVm('one', 100);
    await host.addVm('two', 200);
    const tried = { ...tools(), asker: host.askerOf({ one: Outcome.ok, two: Outcome.ok }) };
    expect(await qmp.find(tried)).toEqual({ outcome: Outcome.ok, detail: '2 of 2 running QEMUs have a door for this agent' });
  });

  it('are not said to answer where nobody was asked, and those not asked yet are counted', async () => {
    await host.addVm('one', 100);
    await host.addVm('two', 200);
    const untried = { outcome: Outcome.ok, detail: '2 of 2 running QEMUs have a door for this agent; doors were not tried' };
    expect(await qmp.find(tools())).toEqual(untried);
    expect(await qmp.find({ ...tools(), asker: host.askerOf({ one: null, two: null }) })).toEqual(untried);
    const { detail } = await qmp.find({ ...tools(), asker: host.askerOf({ one: null, two: Outcome.ok }) });
    expect(detail).toBe('2 of 2 running QEMUs have a door for this agent; 1 not tried yet');
  });

  it('are not said to be missing where processes cannot be looked into', async () => {
    host.refuse(159, 160);
    for (const [probe, what] of [
      [qmp, 'QEMU'],
      [firecrackerMetrics, 'Firecracker'],
      [kataShims, 'Kata sandbox'],
    ] as const) {
      const finding = await probe.find(tools());
      expect(finding).toMatchObject({ outcome: Outcome.notPermitted, need: 'none' });
      expect(finding.detail).toBe(`no ${what} that can be seen runs here; 159 of 160 processes cannot be looked into`);
    }
  });

  it('are counted, and those without one are named with the very argument to add', async () => {
    for (const [i, id] of ['one', 'two', 'three'].entries()) await host.addVm(id, 100 + i);
    standings.set('one', Outcome.notConfigured).set('two', Outcome.notPermitted);
    const finding = await qmp.find(tools());
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured, need: 'optional', affects: ['one', 'two'] });
    expect(finding.detail).toBe(
      '1 of 3 running QEMUs has a door for this agent; doors were not tried; 1 monitor of libvirt, Kata, hypeman, Proxmox VE, Incus or LXD is never touched',
    );
    expect(stepsOf(finding)).toContain(`-qmp unix:${host.proc.root}/run/vmgauge/vmgauge-NAME.sock,server=on,wait=off`);
    expect(stepsOf(finding).join('')).toContain(
      `<qemu:commandline><qemu:arg value='-qmp'/><qemu:arg value='unix:${host.proc.root}/run/vmgauge/vmgauge-NAME.sock,server=on,wait=off'/></qemu:commandline>`,
    );
  });

  it('are missed for the same reason whoever is left without one', async () => {
    for (const [i, id] of ['one', 'two', 'three'].entries()) await host.addVm(id, 100 + i);
    for (const left of [Outcome.notConfigured, Outcome.unsupported, Outcome.notPermitted]) {
      standings = new Map([['one', left]]);
      expect(await qmp.find(tools())).toMatchObject({ outcome: Outcome.notConfigured, need: 'optional', affects: ['one'] });
    }
  });

  it('that are switched off are switched on by a flag', async () => {
    host.house.settings.qmpMode = 'off';
    await host.addVm('one', 100);
    const finding = await qmp.find(tools());
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured, affects: ['one'] });
    expect(stepsOf(finding)).toEqual(['--vmm.qmp=reserved']);
  });

  it('of sandboxes are their shims’ alone', async () => {
    await host.addVm('pod', 100, { sandbox: { vmmInShim: false } });
    standings.set('pod', Outcome.notPermitted);
    expect(await qmp.find(tools())).toMatchObject({ outcome: Outcome.notPermitted, need: 'none', affects: [] });
    await host.addVm('own', 200);
    standings.set('own', Outcome.unsupported);
    expect(await qmp.find(tools())).toMatchObject({ outcome: Outcome.notConfigured, need: 'optional', affects: ['own'] });
  });

  it('of a VMM that nobody can ask are wanted by nobody', async () => {
    await host.addVm('one', 100);
    expect(await qmp.find({ ...tools(), dialogues: [] })).toMatchObject({ outcome: Outcome.unsupported, need: 'none' });
  });
});

describe.each([
  ['Cloud Hypervisor', 'cloud-hypervisor', cloudHypervisorApi, 'cloudHypervisorApi', '--api-socket'],
  ['Firecracker', 'firecracker', firecrackerApi, 'firecrackerApi', '--api-sock'],
] as const)('the API of %s', (_, hypervisor, probe, setting, argument) => {
  it('works, is missing and is off by the same rules', async () => {
    await host.addVm('one', 100, { hypervisor, sockets: ['/run/one.sock'] });
    expect(await probe.find(tools())).toMatchObject({ outcome: Outcome.ok });
    standings.set('one', Outcome.notConfigured);
    const finding = await probe.find(tools());
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured, affects: ['one'] });
    expect(stepsOf(finding)[0]).toMatch(new RegExp(`^${argument}[ =]`));
    host.house.settings[setting] = false;
    expect(stepsOf(await probe.find(tools()))[0]).toBe(`--vmm.${hypervisor}`);
  });
});

it('a Firecracker that may be asked for its metrics alone has no API', async () => {
  await host.addVm('one', 100, { hypervisor: 'firecracker' });
  expect(await firecrackerApi.find(tools())).toMatchObject({ outcome: Outcome.notConfigured, affects: ['one'] });
});

it('StratoVirt is no QEMU, and wants its own words', async () => {
  await host.addVm('one', 100, { hypervisor: 'stratovirt' });
  standings.set('one', Outcome.notConfigured);
  expect(await qmp.find(tools())).toMatchObject({ outcome: Outcome.gone });
  const finding = await stratovirtQmp.find({ ...tools(), dialogues: [dialogue('qmp', 'stratovirt')] });
  expect(finding).toMatchObject({ outcome: Outcome.notConfigured, affects: ['one'] });
  expect(stepsOf(finding)).toEqual([
    expect.stringContaining("echo 'd "),
    expect.stringContaining('systemd-tmpfiles'),
    `-qmp unix:${host.proc.root}/run/vmgauge/vmgauge-NAME.sock,server,nowait`,
  ]);
});

describe('metrics of Firecracker', () => {
  it('are not there, not read, or off', async () => {
    expect(await firecrackerMetrics.find(tools())).toMatchObject({ outcome: Outcome.gone, need: 'none' });
    await host.addVm('one', 100, { hypervisor: 'firecracker' });
    expect(await firecrackerMetrics.find(tools())).toMatchObject({ outcome: Outcome.notConfigured, need: 'optional', affects: ['one'] });
    host.proc.link('100/fd/9', '/srv/vm/metrics.json');
    expect(await firecrackerMetrics.find(tools())).toMatchObject({ outcome: Outcome.ok });
    await host.addVm('two', 200, { hypervisor: 'firecracker' });
    expect(await firecrackerMetrics.find(tools())).toMatchObject({ affects: ['two'] });
    host.proc.write('200/cmdline', 'firecracker\0--metrics-path\0/m\0');
    expect(await firecrackerMetrics.find(tools())).toMatchObject({ outcome: Outcome.ok });
    host.house.settings.firecrackerMetrics = 'off';
    expect(stepsOf(await firecrackerMetrics.find(tools()))).toEqual(['--vmm.firecracker-metrics=file']);
  });
});

describe('shims of Kata', () => {
  it('are asked where the configuration lists their kind, and the flag lists the kinds that are here', async () => {
    expect(await kataShims.find(tools())).toMatchObject({ outcome: Outcome.gone, need: 'none' });
    host.proc.addProcess(101);
    const shim = { role: 'shim', pid: 101, startTicks: 271431 } as const;
    const sandbox = { id: 'pod', runtime: 'go', hypervisor: 'qemu', vmmInShim: false, directory: '/run/vc/sbs/pod' } as const;
    await host.addVm('pod', 100, { sandbox, companions: [shim] });
    const finding = await kataShims.find(tools());
    expect(finding).toMatchObject({
      outcome: Outcome.notConfigured,
      need: 'optional',
      affects: ['pod'],
      detail: '0 of 1 shim may be asked',
    });
    expect(stepsOf(finding)).toEqual(['--shim.socket-runtimes=go/qemu']);
    host.house.settings.shimSocketRuntimes = ['go/qemu'];
    expect(await kataShims.find(tools())).toMatchObject({ outcome: Outcome.ok });
  });

  it('that would die of the question are never to be asked', async () => {
    await host.addVm('pod', 100, {
      sandbox: { id: 'pod', runtime: 'rust', hypervisor: 'qemu', vmmInShim: false, directory: '/run/kata/pod' },
    });
    const finding = await kataShims.find(tools());
    expect(finding).toMatchObject({ outcome: Outcome.unsupported, need: 'none', affects: ['pod'], fix: { steps: [] } });
  });
});
