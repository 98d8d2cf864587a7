import { describe, expect, it } from 'vitest';
import { ID_RULES, identify } from './id-rules.js';

const path = (text: string) => identify({ paths: [text], cgroups: [] });
const cgroup = (text: string) => identify({ paths: [], cgroups: [text] });

describe('identify', () => {
  it.each([
    ['/var/lib/hypeman/guests/tz4a98xxat96iws9zmbrgj3a/qemu.sock', 'tz4a98xxat96iws9zmbrgj3a'],
    ['guests/abc/ch.sock', 'abc'],
    ['/data/guests/abc/fc.sock', 'abc'],
    ['/data/guests/abc/vsock.sock', undefined],
    ['/data/guests/../fc.sock', undefined],
    ['/data/guests/a b/fc.sock', undefined],
    ['/run/vc/vm/5f3c/clh-api.sock', '5f3c'],
    ['/run/vc/vm/5f3c/pid', '5f3c'],
    ['/run/vc/firecracker/5f3c/root/run/firecracker.socket', '5f3c'],
    ['/run/kata/5f3c/ch-api.sock', '5f3c'],
    ['/run/kata/5f3c/run/fc.sock', '5f3c'],
    ['/run/kata/firecracker/5f3c/root/run/fc.sock', '5f3c'],
    ['/run/kata/firecracker/5f3c', undefined],
    ['/srv/jailer/firecracker/vm-1/root/firecracker', 'vm-1'],
    ['/var/run/qemu-server/100.qmp', '100'],
    ['/tmp/qmp.sock', undefined],
  ])('%s', (text, id) => {
    expect(path(text)).toEqual(id === undefined ? {} : { id });
  });

  it('reads ids from jailer’s cgroups and names from sandboxes', () => {
    expect(cgroup('/firecracker/vm-1')).toEqual({ id: 'vm-1' });
    expect(cgroup('/system.slice/firecracker.slice/a.service')).toEqual({});
    expect(identify({ paths: [], cgroups: [], name: 'sandbox-5f3c' })).toEqual({ id: '5f3c' });
    expect(identify({ paths: [], cgroups: [], name: 'sandbox-../x' })).toEqual({});
  });

  it('decodes systemd’s escapes in libvirt’s scopes; the name is no id', () => {
    expect(cgroup('/machine.slice/machine-qemu\\x2d12\\x2dweb\\x2d1.scope/libvirt/emulator')).toEqual({ name: 'web-1' });
    expect(cgroup('/machine.slice/machine-qemu\\x2d12\\x2dk\\xc3\\xa4se.scope')).toEqual({ name: 'käse' });
    expect(path('/var/lib/libvirt/qemu/domain-12-web-1/monitor.sock')).toEqual({ name: 'web-1' });
  });

  it('works with rows of an operator', () => {
    const rule = { controlPlane: 'mine', origin: 'path', pattern: /^\/mine\/(?<id>[^/]+)$/ } as const;
    expect(identify({ paths: ['/mine/x'], cgroups: [] }, [rule, ...ID_RULES])).toEqual({ id: 'x' });
  });
});
