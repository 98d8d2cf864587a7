import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, kernelSample, truncations } from '../../../test/kernel-samples.js';
import { isOutside, levels, parseMemberships } from './membership.js';

const recorded = kernelSample('cgroup-v1-6.18/proc-cgroup');

describe('parseMemberships', () => {
  it('reads every hierarchy of a hybrid host', () => {
    expect(parseMemberships(recorded)).toEqual([
      { controllers: ['name=systemd'], path: '/' },
      { controllers: ['pids'], path: '/' },
      { controllers: ['blkio'], path: '/' },
      { controllers: ['freezer'], path: '/' },
      { controllers: ['devices'], path: '/' },
      { controllers: ['memory'], path: '/vm' },
      { controllers: ['cpuset'], path: '/' },
      { controllers: ['cpuacct'], path: '/' },
      { controllers: ['cpu'], path: '/slice/child' },
      { controllers: [], path: '/' },
    ]);
  });

  it('reads controllers that are mounted together, and paths with colons and blanks in them', () => {
    expect(parseMemberships('4:cpu,cpuacct:/kubepods.slice:cri:a b\n0::/machine.slice/machine-qemu\\x2d1\\x2dweb.scope\n')).toEqual([
      { controllers: ['cpu', 'cpuacct'], path: '/kubepods.slice:cri:a b' },
      { controllers: [], path: '/machine.slice/machine-qemu\\x2d1\\x2dweb.scope' },
    ]);
  });

  it('leaves out what the kernel says of a cgroup that was removed', () => {
    expect(parseMemberships('0::/gone.scope (deleted)\n')).toEqual([{ controllers: [], path: '/gone.scope' }]);
  });

  it('gives whole lines or nothing, wherever the text is cut', () => {
    const all = parseMemberships(recorded) ?? expect.fail('refused');
    for (const cut of truncations(recorded)) {
      if (cut.endsWith('\n')) expect(parseMemberships(cut)).toEqual(all.slice(0, cut.split('\n').length - 1));
      else expect(parseMemberships(cut)).toBeNull();
    }
  });

  it('refuses what is none', () => {
    for (const text of ['', '\n', '0::\n', '0:/\n', '::/\n', 'x::/\n', '0::relative\n', '0::/\n\n', '0::/\nx'])
      expect(parseMemberships(text)).toBeNull();
    fc.assert(fc.property(anyText, (text) => parseMemberships(text) === null || /^(\d+:[^:\n]*:\/.*\n)+$/.test(text)));
  });
});

describe('a path', () => {
  it('leads outside of our sight where the kernel had to go up', () => {
    for (const path of ['/..', '/../other.slice', '/a/../../b']) expect(isOutside(path)).toBe(true);
    for (const path of ['/', '/a..b', '/..a/b', '/...']) expect(isOutside(path)).toBe(false);
  });

  it('has levels from the cgroup itself to the root', () => {
    expect(levels('/machine.slice/vm.scope/libvirt')).toEqual([
      '/machine.slice/vm.scope/libvirt',
      '/machine.slice/vm.scope',
      '/machine.slice',
      '/',
    ]);
    expect(levels('/')).toEqual(['/']);
  });
});
