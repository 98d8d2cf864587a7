import { expect, it } from 'vitest';
import { globPattern } from './glob.js';

it.each([
  ['/usr/bin/qemu-system-*', '/usr/bin/qemu-system-x86_64', true],
  ['/usr/bin/qemu-system-*', '/usr/bin/qemu-system-', true],
  ['/usr/bin/qemu-system-*', '/usr/bin/qemu-system-x/evil', false],
  ['/usr/bin/qemu-system-*', '/home/u/usr/bin/qemu-system-x86_64', false],
  ['/srv/*/root/firecracker', '/srv/a/root/firecracker', true],
  ['/srv/*/root/firecracker', '/srv/a/b/root/firecracker', false],
  ['/bin/a.b', '/bin/axb', false],
  ['/bin/(a)+[b]', '/bin/(a)+[b]', true],
  ['/bin/a', '/bin/a\n', false],
  ['/bin/a', '', false],
])('%s and %j: %s', (glob, path, matches) => {
  expect(globPattern(glob).test(path)).toBe(matches);
});
