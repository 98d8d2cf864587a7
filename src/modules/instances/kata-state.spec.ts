import { describe, expect, it } from 'vitest';
import { persist, rustState } from '../../../test/fake-kata.js';
import { agentUrlOf, type KataState, parsePersist, parseRustState } from './kata-state.js';

const go = (hypervisor: Readonly<Record<string, unknown>> = {}, rest: Readonly<Record<string, unknown>> = {}): KataState =>
  parsePersist(JSON.stringify(persist('s', hypervisor, rest)));
const rust = (type: string, hypervisor: Readonly<Record<string, unknown>> = {}): KataState =>
  parseRustState(JSON.stringify(rustState('s', type, hypervisor)));

describe('persist.json of the Go runtime', () => {
  it('tells pids, namespace, cgroups, the agent and what was plugged', () => {
    const state = go({ Pid: 4242, VirtiofsDaemonPid: 4243, HotpluggedMemory: 512, HotpluggedVCPUs: [{ ID: 'cpu-0' }, { ID: 'cpu-1' }] });
    expect(state).toEqual({
      hypervisor: 'qemu',
      vmmPid: 4242,
      virtiofsdPid: 4243,
      agentUrl: 'vsock://4711:1024',
      networkNamespace: '/var/run/netns/cni-persist',
      cgroup: { path: '/kubepods/besteffort/pod1/kata_s', overheadPath: '/kata_overhead/s', sandboxOnly: false },
      hotpluggedVcpus: 2,
      hotpluggedMemoryBytes: 536_870_912,
      ignored: [],
    });
  });

  it('takes zero, null and the empty string for nothing, as Go means them', () => {
    const state = go({ Pid: 0, VirtiofsDaemonPid: null }, { AgentState: { URL: '' }, Network: null, OverheadCgroupPath: '' });
    expect([state.vmmPid, state.virtiofsdPid, state.agentUrl, state.networkNamespace, state.cgroup?.overheadPath]).toEqual(
      Array.from({ length: 5 }),
    );
    expect(state.ignored).toEqual([]);
  });

  it.each([
    ['clh', 'cloud-hypervisor'],
    ['firecracker', 'firecracker'],
    ['stratovirt', 'stratovirt'],
    ['remote', 'unknown'],
    ['toString', 'unknown'],
  ])('knows the hypervisor %s as %s', (type, expected) => {
    expect(go({ Type: type }).hypervisor).toBe(expected);
  });

  it('leaves out what makes no sense, names it, and keeps the rest', () => {
    const state = go(
      { Pid: -1, VirtiofsDaemonPid: 1.5, HotpluggedMemory: 'much', Type: 7 },
      { AgentState: { URL: 'vsock://1:1\n# HELP' }, Network: [], SandboxCgroupPath: '/../../etc', Config: { SandboxCgroupOnly: 'yes' } },
    );
    expect(state).toEqual({
      cgroup: { path: undefined, overheadPath: '/kata_overhead/s', sandboxOnly: undefined },
      hotpluggedVcpus: 0,
      ignored: state.ignored,
    });
    expect(state.ignored.toSorted()).toEqual([
      'AgentState.URL',
      'Config.SandboxCgroupOnly',
      'HypervisorState.HotpluggedMemory',
      'HypervisorState.Pid',
      'HypervisorState.Type',
      'HypervisorState.VirtiofsDaemonPid',
      'Network',
    ]);
  });

  it.each([0xffff_ffff, 4_194_305, 2 ** 53, 1e300, true, {}, []])('takes %j for no pid', (pid) => {
    expect(go({ Pid: pid })).toMatchObject({ ignored: ['HypervisorState.Pid'] });
    expect(go({ Pid: pid }).vmmPid).toBeUndefined();
  });
});

describe('state.json of runtime-rs', () => {
  it('tells the namespace and the cgroup; there is no overhead cgroup where all is in the sandbox’s', () => {
    expect(rust('qemu', { netns: null })).toMatchObject({
      hypervisor: 'qemu',
      cgroup: { path: '/kata/s', sandboxOnly: true },
      ignored: [],
    });
    expect(rust('dragonball').networkNamespace).toBe('/var/run/netns/cni-state');
    expect(rust('dragonball').cgroup?.overheadPath).toBeUndefined();
  });

  it.each([
    ['dragonball', {}, 'hvsock:///run/kata/s/root/kata.hvsock:1024'],
    ['clh', {}, 'hvsock:///run/kata/s/ch-vm.sock:1024'],
    ['firecracker', {}, 'hvsock:///run/kata/s/kata.hvsock:1024'],
    ['firecracker', { jailed: true, vm_path: '/run/kata/firecracker/s' }, 'hvsock:///run/kata/firecracker/s/root/kata.hvsock:1024'],
    ['qemu', {}, undefined],
    ['clh', { vm_path: '' }, undefined],
  ])('knows where the agent of %s with %j is', (type, change, url) => {
    expect(rust(type, change).agentUrl).toBe(url);
  });

  it('lacks what is not there', () => {
    expect(parseRustState('{}')).toEqual({ ignored: [] });
    expect(parseRustState('{"hypervisor":{},"resource":null}')).toEqual({ ignored: [] });
  });
});

describe.each([
  ['persist.json', JSON.stringify(persist('s', { Pid: 4242 }), null, 1), parsePersist],
  ['state.json', JSON.stringify(rustState('s', 'dragonball'), null, 1), parseRustState],
])('%s', (_, text, parse) => {
  it('is refused wherever it is cut, without a word of it', () => {
    for (let end = 0; end < text.length; end++) {
      expect(() => parse(text.slice(0, end))).toThrow(/^(the file is empty|not JSON, or only a part of it)$/);
    }
    expect(parse(text).ignored).toEqual([]);
  });

  it.each(['null', '[]', '"x"', '7', '\u0000', '['.repeat(100_000), '{"__proto__":'])('is refused: %.20j', (bad) => {
    expect(() => parse(bad)).toThrow();
  });

  it('says nothing where every member is of the wrong kind', () => {
    const wrong = JSON.parse(text, (_key, value: unknown) =>
      typeof value === 'object' && value !== null ? value : { wrong: value },
    ) as unknown;
    expect(parse(JSON.stringify(wrong))).toMatchObject({
      hypervisor: undefined,
      vmmPid: undefined,
      agentUrl: undefined,
      cgroup: undefined,
    });
  });

  it('is not misled by names of Object', () => {
    expect(
      parse('{"__proto__":{"HypervisorState":{"Pid":7}},"constructor":{},"HypervisorState":{"__proto__":{"Pid":7}}}').vmmPid,
    ).toBeUndefined();
  });
});

describe('the agent’s URL in argv', () => {
  it.each([
    [['-device', 'vhost-vsock-pci,id=vsock-1,guest-cid=1618033,vhostfd=3'], 'vsock://1618033:1024'],
    [['-device', 'vhost-vsock-pci,guest-cid=5'], 'vsock://5:1024'],
    [['-name', 'xguest-cid=5'], undefined],
    [['guest-cid=12345678901'], undefined],
    [[], undefined],
  ])('of %j is %s', (argv, url) => {
    expect(agentUrlOf(argv)).toBe(url);
  });
});
