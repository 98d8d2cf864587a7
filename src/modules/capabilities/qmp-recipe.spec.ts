import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProbeHost } from '../../../test/probe-host.js';
import { qemuRecipe } from './qmp-recipe.js';

let host: ProbeHost;
beforeEach(() => {
  host = new ProbeHost();
});
afterEach(() => host.close());
const recipe = () => qemuRecipe(host.tools);
const lines = (): readonly string[] => recipe().steps.map(({ line }) => line);

describe('monitors of QEMU', () => {
  it('stand where the configuration reserves them', () => {
    host.house.settings.qmpReserved = ['stats.sock', '/var/lib/qmp/*/us.sock'];
    expect(lines()).toContain('-qmp unix:/var/lib/qmp/NAME/us.sock,server=on,wait=off');
  });

  it.each([
    ['a name alone', ['vmgauge.sock'], '/run/vmgauge/NAME/vmgauge.sock', []],
    ['one path', ['/srv/qmp/us.sock'], '/run/vmgauge/vmgauge-NAME.sock', ['--vmm.qmp-reserved=/srv/qmp/us.sock,vmgauge-*.sock']],
    ['nothing', [], '/run/vmgauge/vmgauge-NAME.sock', ['--vmm.qmp-reserved=vmgauge-*.sock']],
    ['part of a path, which is held against whole ones', ['*/us.sock', 'us.sock'], '/run/vmgauge/NAME/us.sock', []],
  ])('are of one VM each where the configuration reserves %s', (_, reserved, path, flags) => {
    host.house.settings.qmpReserved = reserved;
    expect(lines()).toContain(`-qmp unix:${host.proc.root}${path},server=on,wait=off`);
    expect(lines().filter((line) => line.startsWith('--'))).toEqual(flags);
  });

  it('want a directory, which below /run is made again at each boot', () => {
    expect(lines().slice(0, 2)).toEqual([
      `echo 'd ${host.proc.root}/run/vmgauge 0750 QEMU_USER QEMU_GROUP -' >> /etc/tmpfiles.d/vmgauge-qmp.conf`,
      'systemd-tmpfiles --create /etc/tmpfiles.d/vmgauge-qmp.conf',
    ]);
    expect(recipe().text).toMatch(/AppArmor.*SELinux/);
    host.house.settings.qmpReserved = ['/var/lib/qmp/*/us.sock'];
    expect(lines()[0]).toBe('install -d -o QEMU_USER -g QEMU_GROUP -m 0750 /var/lib/qmp/NAME');
    host.house.settings.qmpReserved = ['/var/run/qmp/*.sock'];
    expect(lines()[0]).toContain('/etc/tmpfiles.d/');
  });
});
