import { describe, expect, it, vi } from 'vitest';
import { errno, FakeProcess, type KernelFiles } from '../../../test/fake-process.js';
import { kernelSample, truncations } from '../../../test/kernel-samples.js';
import { NamespacedThreads, parseNamespacedIds } from './namespaced-threads.js';

const status = (ids: string): string => kernelSample('qemu-7.2-kvm/status').replace(/^NSpid:.*$/m, `NSpid:\t${ids}`);

describe('parseNamespacedIds', () => {
  it('reads the numbers from the outermost namespace inwards', () => {
    expect(parseNamespacedIds(kernelSample('qemu-7.2-kvm/status'))).toEqual([15376]);
    expect(parseNamespacedIds(status('4242\t17\t1'))).toEqual([4242, 17, 1]);
  });

  it('never gives a part of the numbers, however the text is cut', () => {
    for (const cut of truncations(status('4242\t17'))) expect([null, [4242, 17]]).toContainEqual(parseNamespacedIds(cut));
  });

  it('has none of a kernel that does not tell', () => {
    expect(parseNamespacedIds('Name:\tqemu\nPid:\t7\n')).toBeNull();
    expect(parseNamespacedIds('')).toBeNull();
  });
});

describe('a thread id of the VMM', () => {
  const files = (of: Readonly<Record<string, string | Error>>): KernelFiles =>
    new Map([['stat', kernelSample('qemu-7.2-kvm/stat')], ...Object.entries(of)]);
  const translate = (of: KernelFiles, threads: readonly number[]) => new NamespacedThreads(new FakeProcess(of)).translate(threads);

  it('is ours where the process is in our namespace, if it is one of its threads', () => {
    const own = translate(files({ status: status('4242') }), [4242, 4250]);
    expect([own(4250), own(4251)]).toEqual([4250, undefined]);
  });

  it('is translated where the process is deeper', () => {
    const own = translate(
      files({ status: status('4242\t1'), 'task/4242/status': status('4242\t1'), 'task/4250/status': status('4250\t9') }),
      [4242, 4250],
    );
    expect([own(9), own(1), own(4250)]).toEqual([4250, 4242, undefined]);
  });

  it('is nobody’s where that cannot be told', () => {
    const ended = translate(files({ status: status('4242\t1'), 'task/4250/status': errno('ESRCH') }), [4250]);
    expect([ended(9), ended(4250)]).toEqual([undefined, undefined]);
    for (const text of ['', 'Pid:\t4242\n', errno('EACCES')]) expect(translate(files({ status: text }), [4250])(4250)).toBeUndefined();
  });

  it('costs one look at the process in its life where that is in our namespace', () => {
    const process = new FakeProcess(files({ status: status('4242') }));
    const readOnce = vi.spyOn(process, 'readOnce');
    const namespaced = new NamespacedThreads(process);
    for (let i = 0; i < 5; i++) namespaced.translate([4242, 4250]);
    expect(readOnce.mock.calls.map(([file]) => file)).toEqual(['status']);
  });
});
