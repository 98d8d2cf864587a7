import { describe, expect, it } from 'vitest';
import { podSpec } from '../../../test/fake-kata.js';
import { parseBundle } from './kata-bundle.js';
import { cgroupPath } from './kata-cgroup.js';

const parse = (spec: unknown) => parseBundle(JSON.stringify(spec));

describe('config.json of a bundle', () => {
  it('tells the pod, the network namespace and the cgroup, in containerd’s words', () => {
    expect(parse(podSpec('s'))).toEqual({
      pod: { uid: 'uid-1', name: 'pod-of-s', namespace: 'shop' },
      networkNamespace: '/var/run/netns/cni-bundle',
      cgroupPath: '/kubepods/besteffort/pod1/s',
      ignored: [],
    });
  });

  it('and in CRI-O’s', () => {
    const annotations = {
      'io.kubernetes.cri-o.ContainerType': 'sandbox',
      'io.kubernetes.cri-o.SandboxID': 's',
      'io.kubernetes.cri-o.KubeName': 'k8s_web',
      'io.kubernetes.cri-o.Namespace': 'ns',
      'io.kubernetes.pod.name': 'web',
      'io.kubernetes.pod.uid': 'uid-2',
    };
    expect(parse({ annotations })).toEqual({ pod: { uid: 'uid-2', name: 'web', namespace: 'ns' }, ignored: [] });
  });

  it.each([
    [{ 'io.kubernetes.cri.container-type': 'container', 'io.kubernetes.cri.sandbox-id': 'other' }, 'other'],
    [{ 'io.kubernetes.cri-o.ContainerType': 'container', 'io.kubernetes.cri-o.SandboxID': 'other' }, 'other'],
    [{ 'io.kubernetes.docker.type': 'container', 'io.kubernetes.sandbox.id': 'other' }, 'other'],
    [{ 'io.kubernetes.cri.container-type': 'container' }, ''],
    [{ 'io.kubernetes.docker.type': 'podsandbox', 'io.kubernetes.sandbox.id': 's' }, undefined],
    [{}, undefined],
  ])('knows by %j whether the container joined a sandbox', (annotations, joined) => {
    expect(parse({ annotations }).joined).toBe(joined);
  });

  it('has no pod without annotations', () => {
    expect(parse({ linux: { namespaces: [{ type: 'network' }] } })).toEqual({ ignored: [] });
  });

  it('leaves out nonsense and names it, never its content', () => {
    const annotations = { 'io.kubernetes.cri.sandbox-name': 'x'.repeat(1000), 'io.kubernetes.cri.sandbox-uid': 'a\nb' };
    const bundle = parse({ annotations, linux: { namespaces: { network: 'secret' }, cgroupsPath: ['secret'] } });
    expect(bundle.pod).toBeUndefined();
    expect(bundle.ignored.toSorted()).toEqual([
      'annotations.io.kubernetes.cri.sandbox-name',
      'annotations.io.kubernetes.cri.sandbox-uid',
      'linux.cgroupsPath',
      'linux.namespaces',
    ]);
  });

  it('keeps no secret', () => {
    expect(JSON.stringify(parse(podSpec('s')))).not.toMatch(/hunter2|secret/);
  });

  it('is refused wherever it is cut', () => {
    const text = JSON.stringify(podSpec('s'));
    for (let end = 0; end < text.length; end++) expect(() => parseBundle(text.slice(0, end))).toThrow();
  });
});

describe('a cgroup’s path', () => {
  it.each([
    ['/kubepods/pod1/kata_s', '/kubepods/pod1/kata_s'],
    ['kata_overhead/s', '/kata_overhead/s'],
    ['//a/./b/', '/a/b'],
    ['/a/../../b', undefined],
    ['/', undefined],
    ['a:b', '/a:b'],
    [
      'kubepods-burstable-pod1_2.slice:cri-containerd:s',
      '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/cri-containerd-s.scope',
    ],
    ['/kata-overhead.slice:runtime-rs:s', '/kata.slice/kata-overhead.slice/runtime-rs-s.scope'],
    ['-.slice:kata:s', '/kata-s.scope'],
    ['system.slice::s', '/system.slice/s.scope'],
    ['a--b.slice:p:n', '/a--b.slice/p-n.scope'],
    ['..slice:p:..', '/..slice/p-...scope'],
    ['x.slice:p:y.slice', '/x.slice/y.slice'],
  ])('%s is %s', (word, path) => {
    expect(cgroupPath(word)).toBe(path);
  });

  it('is not known where there is no word', () => {
    expect(cgroupPath(undefined)).toBeUndefined();
  });
});
