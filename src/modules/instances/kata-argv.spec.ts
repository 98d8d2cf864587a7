import { describe, expect, it } from 'vitest';
import { namesId, shimId } from './kata-argv.js';

describe('the id for which a shim works', () => {
  it.each([
    [['shim', '-namespace', 'k8s.io', '-address', '/a', '-publish-binary', '/c', '-id', 's1', '-debug'], 's1'],
    [['shim', '-id', 's1', '-namespace', 'k8s.io'], 's1'],
    [['shim', '--id=s1'], 's1'],
    [['shim', '-id=s=1'], undefined],
    [['-id', 's1'], undefined],
    [['shim', '-id'], undefined],
    [['shim', '-id', '../s1'], undefined],
    [['shim', '-identity', 's1'], undefined],
    [['shim', '-id', 's1', 'start'], undefined],
    [['shim', '-id', 's1', '-bundle', '/b', 'delete'], undefined],
    [[], undefined],
  ])('of %j is %s', (argv, id) => {
    expect(shimId(argv)).toBe(id);
  });
});

describe('an argument', () => {
  it.each([
    ['s1', true],
    ['sandbox-s1', true],
    ['sandbox-s1,debug-threads=on', true],
    ['--shared-dir=/run/kata-containers/shared/sandboxes/s1/shared', true],
    ['unix:/run/vc/vm/s1/qmp.sock,server=on', true],
    ['id=xs1:s1', true],
    ['s11', false],
    ['s1.old', false],
    ['xs1', false],
    ['my-sandbox-s1x', false],
    ['pod-s1', false],
    ['', false],
  ])('%s names s1: %s', (word, expected) => {
    expect(namesId(['/bin/qemu', word], 's1')).toBe(expected);
  });
});
