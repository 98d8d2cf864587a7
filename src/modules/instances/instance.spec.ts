import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import type { InstanceRecord, InstanceState } from '../../model/instance.js';
import { holdProcess } from '../procfs/held-process.js';
import { Instance } from './instance.js';

const instance = (words: Partial<InstanceRecord> = {}): Instance =>
  new Instance({ id: 'vm-1', sources: ['told'], record: { id: 'vm-1', ...words }, process: null });

let proc: FakeProc;
beforeEach(() => {
  proc = new FakeProc();
});
afterEach(() => proc.close());

describe('the name', () => {
  it('is the id where there is none', () => {
    expect(instance().name).toBe('vm-1');
  });

  it('is short, well-formed and on one line', () => {
    expect(instance({ name: 'a\nb\u2028c\0d\x7f' }).name).toBe('a?b?c?d?');
    expect(instance({ name: 'x'.repeat(1000) }).name).toHaveLength(256);
    expect(instance({ name: `${'x'.repeat(255)}💥` }).name.isWellFormed()).toBe(true);
  });
});

describe('the state', () => {
  const said = (state: InstanceState | undefined, letter?: string): InstanceState => {
    const vm = instance(state === undefined ? {} : { state });
    if (letter === undefined) return vm.state;
    proc.addProcess(7, { state: letter });
    const process = holdProcess(proc.host(), 7);
    vm.process = process;
    const { state: result } = vm;
    process.close();
    return result;
  };

  it.each([
    [undefined, 'stopped'],
    ['running', 'stopped'],
    ['paused', 'stopped'],
    ['created', 'created'],
    ['standby', 'standby'],
    ['unknown', 'stopped'],
  ] as const)('without a process, when its source says %s, is %s', (state, expected) => {
    expect(said(state)).toBe(expected);
  });

  it.each([
    ['initializing', undefined, 'initializing'],
    ['unknown', undefined, 'unknown'],
    [undefined, undefined, 'unknown'],
    ['running', undefined, 'unknown'],
    [undefined, { pid: 7 }, 'stopped'],
  ] as const)('of a sandbox without a VMM, when its source says %s and claims %j, is %s', (state, process, expected) => {
    expect(instance({ state, process, sandbox: { vmmInShim: false } }).state).toBe(expected);
  });

  it.each([
    [undefined, 'S', 'running'],
    ['paused', 'S', 'paused'],
    ['stopped', 'S', 'running'],
    ['standby', 'R', 'running'],
    ['unknown', 'S', 'running'],
    ['running', 'T', 'paused'],
    [undefined, 't', 'paused'],
  ] as const)('with a process, when its source says %s and the kernel %s, is %s', (state, letter, expected) => {
    expect(said(state, letter)).toBe(expected);
  });

  it('is what its VMM says, unless its process shows otherwise', () => {
    proc.addProcess(7, { state: 'S' });
    const vm = instance({ state: 'created' });
    vm.process = holdProcess(proc.host(), 7);
    vm.process.readStat();
    vm.vmmState = 'suspended';
    expect(vm.state).toBe('suspended');
    vm.isDegraded = true;
    expect(vm.state).toBe('degraded');
    proc.addProcess(7, { state: 'T' });
    vm.process.readStat();
    expect(vm.state).toBe('paused');
    vm.process.close();
    vm.process = null;
    vm.endedMs = 1;
    expect(vm.state).toBe('stopped');
  });

  it('of one that ran and ended is stopped, not created', () => {
    const vm = instance({ state: 'created' });
    vm.endedMs = 1;
    expect(vm.state).toBe('stopped');
  });
});

describe('update', () => {
  const merged = (record: Partial<InstanceRecord>, sources = ['told']) => ({
    id: 'vm-1',
    sources,
    record: { id: 'vm-1', ...record },
    process: null,
  });

  it('moves the version when something changed that stands in labels, and only then', () => {
    const vm = instance({ name: 'one' });
    vm.update(merged({ name: 'one', vcpus: 7, state: 'paused' }));
    expect(vm.version).toBe(0);
    vm.update(merged({ name: 'two' }));
    vm.update(merged({ name: 'two', hypervisor: 'qemu' }));
    vm.update(merged({ name: 'two', hypervisor: 'qemu' }, ['told', 'host']));
    expect(vm.version).toBe(3);
  });
});
