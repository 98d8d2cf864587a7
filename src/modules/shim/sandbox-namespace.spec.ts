import { beforeEach, describe, expect, it } from 'vitest';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import { Outcome } from '../../model/outcome.js';
import { SandboxNamespace, type Surroundings } from './sandbox-namespace.js';

const buffer = Buffer.alloc(4096);
let process: FakeProcess;
let host: string | Outcome;
let holding: boolean;
let opened: string[];
let open: number;
const surroundings: Surroundings = { identity: () => host, mayHoldMore: () => holding };

beforeEach(() => {
  process = new FakeProcess(new Map([['net/dev', 'own\n']]));
  host = 'fake:1/net/dev';
  holding = true;
  opened = [];
  open = 0;
  const real = process.open.bind(process);
  process.open = (file) => {
    const held = real(file);
    opened.push(file);
    open++;
    return { ...held, close: () => open-- };
  };
});

/** Outcome and text of one turn. */
function turn(namespace: SandboxNamespace): string | Outcome {
  const outcome = namespace.read(buffer);
  return outcome === Outcome.ok ? buffer.toString('latin1', 0, namespace.length) : outcome;
}

/** A shim that contains its VM: all files by thread. */
function threads(names: Readonly<Record<string, string>>): void {
  for (const path of [...process.files.keys()]) if (path.startsWith('task/')) process.files.delete(path);
  for (const [id, name] of Object.entries(names)) {
    process.files.set(`task/${id}/comm`, `${name}\n`).set(`task/${id}/net/dev`, `of ${name}\n`);
  }
}

describe('the namespace of a VMM of its own', () => {
  it('is opened once and held by one descriptor', () => {
    const namespace = new SandboxNamespace(process, false, surroundings);
    for (let i = 0; i < 30; i++) expect(turn(namespace)).toBe('own\n');
    expect([opened, open]).toEqual([['net/dev'], 1]);
    namespace.close();
    expect(open).toBe(0);
  });

  it('is opened for each turn where descriptors are scarce', () => {
    holding = false;
    const namespace = new SandboxNamespace(process, false, surroundings);
    for (let i = 0; i < 3; i++) expect([turn(namespace), open]).toEqual(['own\n', 0]);
  });

  it('is unsupported while it is the host’s, and looked at again now and then', () => {
    host = 'fake:net/dev';
    const namespace = new SandboxNamespace(process, false, surroundings);
    for (let i = 0; i < 13; i++) expect(turn(namespace)).toBe(Outcome.unsupported);
    expect([opened.length, open]).toEqual([1, 0]);
    host = 'fake:1/net/dev';
    const turns = Array.from({ length: 13 }, () => turn(namespace));
    expect(turns).toContain('own\n');
    expect(open).toBe(1);
  });

  it('is not shown where the host’s cannot be told from it', () => {
    host = Outcome.notPermitted;
    const namespace = new SandboxNamespace(process, false, surroundings);
    expect(turn(namespace)).toBe(Outcome.notPermitted);
    host = 'fake:1/net/dev';
    expect(turn(namespace)).toBe('own\n');
  });

  it.each([
    ['ESRCH', Outcome.gone],
    ['EACCES', Outcome.notPermitted],
    ['EMFILE', Outcome.busy],
  ] as const)('says why it cannot be opened (%s), and is tried again in the next turn', (code, outcome) => {
    const namespace = new SandboxNamespace(process, false, surroundings);
    process.files.set('net/dev', errno(code));
    expect(turn(namespace)).toBe(outcome);
    process.files.set('net/dev', 'own\n');
    expect(turn(namespace)).toBe('own\n');
  });

  it('is too large when it is longer than the buffer', () => {
    process.files.set('net/dev', 'x'.repeat(5000));
    expect(turn(new SandboxNamespace(process, false, surroundings))).toBe(Outcome.tooLarge);
  });
});

describe('the namespace of a VMM in its shim', () => {
  it.each(['vmm_master', 'db_vcpu0', 'db_vcpu12'])('is that of the thread %s, never of the shim’s own', (name) => {
    threads({ 10: 'containerd-shim', 11: name, 12: 'tokio-runtime-w' });
    expect(turn(new SandboxNamespace(process, true, surroundings))).toBe(`of ${name}\n`);
    expect(opened).toEqual(['task/11/net/dev']);
  });

  it('is unsupported without such a thread, and found when the VM starts', () => {
    threads({ 10: 'containerd-shim', 11: 'db_vcpu', 12: 'my_vmm_master' });
    const namespace = new SandboxNamespace(process, true, surroundings);
    expect(turn(namespace)).toBe(Outcome.unsupported);
    threads({ 10: 'containerd-shim', 20: 'vmm_master' });
    expect(Array.from({ length: 13 }, () => turn(namespace))).toContain('of vmm_master\n');
  });

  it('is let go of when its thread has ended: the file would keep it alive', () => {
    threads({ 11: 'vmm_master' });
    const namespace = new SandboxNamespace(process, true, surroundings);
    expect(turn(namespace)).toBe('of vmm_master\n');
    threads({ 11: 'tokio-runtime-w' });
    expect(Array.from({ length: 26 }, () => turn(namespace))).toContain(Outcome.unsupported);
    expect(open).toBe(0);
  });

  it('is checked by name in each turn where it is not held', () => {
    holding = false;
    threads({ 11: 'vmm_master' });
    const namespace = new SandboxNamespace(process, true, surroundings);
    expect(turn(namespace)).toBe('of vmm_master\n');
    threads({ 11: 'tokio-runtime-w' });
    expect(turn(namespace)).toBe(Outcome.unsupported);
  });
});
