import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import { kernelSample } from '../../../test/kernel-samples.js';
import type { HeldProcess, KernelFile } from '../../model/process.js';
import { holdProcess } from '../procfs/held-process.js';
import type { NetworkNamespace } from './namespace.js';
import { Namespaces } from './namespaces.js';

const TABLE = kernelSample('qemu-7.2-kvm/net-dev');
const withTap = (name: string): string => TABLE.replace('exptap0', name);

/** What is open now, by namespace. */
const open = new Map<string, number>();

/** A process that sees the namespaces the test gives it, by path. */
class NamespacedProcess extends FakeProcess {
  constructor(readonly tables: Readonly<Record<string, { id: string; text: string }>>) {
    super();
    this.files.clear();
    for (const path of Object.keys(tables)) this.files.set(path, 'x');
  }

  override open(path: string): KernelFile {
    const table = this.tables[path];
    if (!table) throw errno('ENOENT');
    open.set(table.id, (open.get(table.id) ?? 0) + 1);
    const bytes = Buffer.from(table.text, 'latin1');
    return {
      readAt: (buffer, offset, length, position) => bytes.copy(buffer, offset, position, position + length),
      identity: () => table.id,
      close: () => open.set(table.id, (open.get(table.id) ?? 0) - 1),
    };
  }
}

const watcher = (name: string) => ({
  owner: name,
  name,
  kind: 'tap' as const,
  yields: false,
  isUnidentified: false,
  door: () => {
    throw errno('ENOENT');
  },
  identify: () => undefined,
  rivalled: () => undefined,
  malformed: () => undefined,
  take: () => undefined,
});
const opened = (): Record<string, number> => Object.fromEntries([...open].filter(([, count]) => count !== 0));

let proc: FakeProc;
let namespaces: Namespaces;
const find = (process: HeldProcess, name: string): NetworkNamespace => namespaces.find(process, name)?.namespace ?? expect.fail();
beforeEach(() => {
  proc = new FakeProc();
  namespaces = new Namespaces(proc.host());
  open.clear();
});
afterEach(() => proc.close());

describe('Namespaces', () => {
  it('holds one namespace once for all who use it, and lets go of it with the last', () => {
    const a = find(new NamespacedProcess({ 'net/dev': { id: 'pod', text: withTap('tap0') } }), 'tap0');
    const b = find(new NamespacedProcess({ 'net/dev': { id: 'pod', text: withTap('tap0') } }), 'tap0');
    expect(b).toBe(a);
    expect(opened()).toEqual({ pod: 1 });
    namespaces.release(a, watcher('tap0'));
    expect(opened()).toEqual({ pod: 1 });
    namespaces.release(b, watcher('tap0'));
    expect(opened()).toEqual({});
  });

  it('finds the interface in the namespace of a thread, and keeps no other open', () => {
    const shim = new NamespacedProcess({
      'net/dev': { id: 'host', text: withTap('other') },
      'task/1/net/dev': { id: 'host', text: withTap('other') },
      'task/2/net/dev': { id: 'pod', text: withTap('tap0') },
      'task/3/net/dev': { id: 'never asked', text: withTap('tap0') },
    });
    expect(find(shim, 'tap0').identity).toBe('pod');
    expect(opened()).toEqual({ pod: 1 });
  });

  it('finds it in the host’s namespace when the process has moved', () => {
    proc.write('1/net/dev', withTap('tap0'));
    const found = find(new NamespacedProcess({ 'net/dev': { id: 'pod', text: withTap('other') } }), 'tap0');
    expect(found.has('tap0')).toBe(true);
    expect(opened()).toEqual({});
    namespaces.release(found, watcher('tap0'));
  });

  it('finds none in the host’s namespace for a process of other users: no device that it opened can be there', () => {
    proc.write('1/net/dev', withTap('tap0'));
    proc.link('1/ns/user', 'user:[4026531837]');
    for (const [pid, users, expected] of [
      [7, 'user:[4026532001]', false],
      [8, 'user:[4026531837]', true],
    ] as const) {
      proc.addProcess(pid);
      proc.link(`${pid}/ns/user`, users);
      const process = holdProcess(proc.host(), pid);
      const found = find(process, 'tap0');
      expect(found.has('tap0')).toBe(expected);
      namespaces.release(found, watcher('tap0'));
      process.close();
    }
  });

  it('takes the process’s own where nobody has it', () => {
    const found = find(new NamespacedProcess({ 'net/dev': { id: 'pod', text: TABLE } }), 'nobody');
    expect(found.identity).toBe('pod');
    namespaces.release(found, watcher('nobody'));
    expect(opened()).toEqual({});
  });

  it('finds none of a process that cannot be looked at', () => {
    expect(namespaces.find(new NamespacedProcess({}), 'tap0')).toBeNull();
    expect(opened()).toEqual({});
  });

  it('passes over a namespace that cannot be read, and reads the others', () => {
    const broken = find(new NamespacedProcess({ 'net/dev': { id: 'broken', text: withTap('tap0') } }), 'tap0');
    const good = find(new NamespacedProcess({ 'net/dev': { id: 'good', text: withTap('tap1') } }), 'tap1');
    let taken = 0;
    good.watch({ ...watcher('tap1'), take: () => taken++ });
    broken.watch({
      ...watcher('tap0'),
      take: () => {
        throw errno('EIO');
      },
    });
    for (const _ of namespaces.pass());
    expect(taken).toBe(1);
  });
});
