import { describe, expect, it } from 'vitest';
import { parseRunState } from './libvirt-status.js';
import { MalformedError } from './problems.js';

/** As libvirt 9 writes it for a domain with one NIC of most kinds, shortened in devices that we do not read. */
const RUN_STATE = `<!--
WARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE
OVERWRITTEN AND LOST.
-->

<domstatus state='running' reason='booted' pid='15376'>
  <taint flag='custom-argv'/>
  <monitor path='/var/lib/libvirt/qemu/domain-3-web-1/monitor.sock' type='unix'/>
  <namespaces>
    <mount/>
  </namespaces>
  <vcpus>
    <vcpu id='0' pid='15380'/>
    <vcpu id='1' pid='15381'/>
  </vcpus>
  <qemuCaps>
    <flag name='hda-duplex'/>
  </qemuCaps>
  <libDir path='/var/lib/libvirt/qemu/domain-3-web-1'/>
  <domain type='kvm' id='3'>
    <name>web &amp; &#x41;pi</name>
    <uuid>0B2B9C7E-58F6-4C3B-9A70-2D5A6D2F7A11</uuid>
    <metadata>
      <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1"><nova:name>web</nova:name></nova:instance>
    </metadata>
    <memory unit='KiB'>4194304</memory>
    <currentMemory unit='KiB'>2097152</currentMemory>
    <vcpu placement='static' current='2'>4</vcpu>
    <devices>
      <emulator>/usr/bin/qemu-system-x86_64</emulator>
      <interface type='bridge'>
        <mac address='52:54:00:AA:bb:01'/>
        <source bridge='br0'/>
        <target dev='vnet0'/>
        <model type='virtio'/>
        <alias name='net0'/>
        <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
      </interface>
      <interface type='network'>
        <mac address='52:54:00:aa:bb:02'/>
        <source network='lan' portid='8f7a' bridge='virbr0'/>
        <actual type='direct'>
          <source dev='eth0' mode='bridge'/>
        </actual>
        <target dev='macvtap0'/>
        <alias name='net1'/>
      </interface>
      <interface type='hostdev' managed='yes'>
        <mac address='52:54:00:aa:bb:03'/>
        <alias name='hostdev0'/>
      </interface>
      <interface type='vhostuser'>
        <source type='unix' path='/run/vhost.sock' mode='server'/>
        <target dev='dpdk0'/>
        <alias name='net3'/>
      </interface>
      <interface type='ethernet'><target dev='../../evil' managed='no'/></interface>
      <interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>
      <interface type='user'/>
      <interface type='mcast'/>
      <graphics type='vnc' port='5900' passwd='vnc-secret'/>
    </devices>
  </domain>
</domstatus>
`;

const changed = (from: string | RegExp, to: string): string => RUN_STATE.replace(from, to);

describe('parseRunState', () => {
  it('reads what libvirt says of a live domain', () => {
    const id = '0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11';
    expect(parseRunState(RUN_STATE)).toEqual({
      id,
      uuid: id,
      hypervisor: 'qemu',
      name: 'web & Api',
      state: 'running',
      process: { pid: 15376, argument: id, mustBeVmm: true },
      vcpus: 2,
      memoryBytes: 4_294_967_296,
      nics: [
        { kind: 'tap', name: 'vnet0', mac: '52:54:00:aa:bb:01', device: 'hostnet0' },
        { kind: 'macvtap', name: 'macvtap0', mac: '52:54:00:aa:bb:02', device: 'hostnet1' },
        { kind: 'passthrough', mac: '52:54:00:aa:bb:03', device: 'hostdev0' },
        { kind: 'vhost-user', device: 'hostnet3' },
        { kind: 'other' },
        { kind: 'vdpa' },
        { kind: 'user' },
        { kind: 'socket' },
      ],
      sockets: ['/var/lib/libvirt/qemu/domain-3-web-1/monitor.sock'],
    });
  });

  it.each([
    ['b', 4096],
    ['bytes', 4096],
    ['KB', 4_096_000],
    ['k', 4_194_304],
    ['KiB', 4_194_304],
    ['MB', 4_096_000_000],
    ['M', 4_294_967_296],
    ['MiB', 4_294_967_296],
    ['GB', 4_096_000_000_000],
    ['G', 4_398_046_511_104],
    ['TiB', 4_503_599_627_370_496],
    ['PiB', undefined],
    ['quarts', undefined],
  ])('4096 %s are %s bytes', (unit, expected) => {
    const text = changed("<memory unit='KiB'>4194304<", `<memory unit='${unit}'>4096<`).replace(/<currentMemory.*\n/, '');
    expect(parseRunState(text).memoryBytes).toBe(expected);
  });

  it('takes memory without a unit for KiB, and currentMemory where memory is missing', () => {
    expect(parseRunState(changed("<memory unit='KiB'>", '<memory>')).memoryBytes).toBe(4_294_967_296);
    expect(parseRunState(changed(/<memory .*\n/, '')).memoryBytes).toBe(2_147_483_648);
  });

  it.each([
    ['running', 'running'],
    ['blocked', 'running'],
    ['paused', 'paused'],
    ['pmsuspended', 'paused'],
    ['shutdown', 'stopped'],
    ['shutoff', 'stopped'],
    ['crashed', 'stopped'],
    ['nostate', 'unknown'],
    ['constructor', 'unknown'],
  ])('says %s as %s', (state, expected) => {
    expect(parseRunState(changed("state='running'", `state='${state}'`)).state).toBe(expected);
  });

  it('knows a domain that is being started', () => {
    expect(parseRunState(changed("state='running' reason='booted'", "state='paused' reason='starting up'")).state).toBe('initializing');
  });

  it('leaves unknown what is not there or makes no sense', () => {
    const record = parseRunState(
      changed("pid='15376'", "pid='-1'")
        .replace(/<monitor.*\n/, '')
        .replace(/<vcpu placement.*\n/, ''),
    );
    expect(record).toMatchObject({ process: undefined, vcpus: undefined, sockets: [] });
  });

  it('takes all vCPUs where none is off', () => {
    expect(parseRunState(changed(" current='2'", '')).vcpus).toBe(4);
  });

  it('refuses every truncation, with a line that quotes nothing', () => {
    const end = RUN_STATE.trimEnd();
    for (let length = 0; length < end.length; length++) {
      expect(() => parseRunState(end.slice(0, length))).toThrow(/^(the file is empty|not XML, or only a part of it|no uuid)$/);
    }
  });

  it.each([
    ['a DOCTYPE', '<!DOCTYPE x [<!ENTITY a "b">]><domstatus/>'],
    ['deep nesting', `<domstatus>${'<a>'.repeat(2000)}${'</a>'.repeat(2000)}</domstatus>`],
    ['a prototype', '<domstatus><__proto__ pid="1"/></domstatus>'],
    ['no domain', '<domstatus state="running" pid="7"/>'],
    ['binary', '\u0000\u0001\u0002'],
  ])('refuses %s', (_, text) => {
    expect(() => parseRunState(text)).toThrow(MalformedError);
  });

  it('does not grow entities', () => {
    expect(parseRunState(changed('web &amp; &#x41;pi', '&lol;&#xffffff;&#0;')).name).toBe('&lol;&#xffffff;&#0;');
  });
});
