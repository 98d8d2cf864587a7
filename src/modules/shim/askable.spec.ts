import { describe, expect, it } from 'vitest';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import { FakeSubject } from '../../../test/subject.js';
import { ASKABLE_SHIMS, HYPERVISORS, type Hypervisor, RUNTIMES, type Runtime, type Sandbox } from '../../model/instance.js';
import { Outcome } from '../../model/outcome.js';
import { mayBeAsked, ownerOf } from './askable.js';

interface Case {
  readonly runtime?: Runtime;
  readonly hypervisor?: Hypervisor;
  readonly sandbox?: Partial<Sandbox>;
  /** The VMM is the shim's own process. */
  readonly same?: boolean;
}

function sandbox({ runtime, hypervisor, sandbox, same }: Case): FakeSubject {
  const vmmInShim = hypervisor === 'dragonball';
  const known = { ...(runtime === undefined ? {} : { runtime }), ...(hypervisor === undefined ? {} : { hypervisor }) };
  const words: Sandbox = { vmmInShim, directory: '/run/vc/sbs/s-1', ...known, ...sandbox };
  const vmm = new FakeProcess();
  const subject = new FakeSubject(vmm, 's-1', 's-1', { id: 's-1', sandbox: words, ...(hypervisor === undefined ? {} : { hypervisor }) });
  subject.companions.set('shim', (same ?? vmmInShim) ? vmm : new FakeProcess());
  return subject;
}

const EVERYTHING = [
  ...RUNTIMES.flatMap((runtime) => HYPERVISORS.map((hypervisor) => `${runtime}/${hypervisor}`)),
  ...['*', 'rust/*', 'undefined/undefined', 'rust/undefined', '', 'rust/'],
];

describe('whether a shim may be asked', () => {
  it('no shim of runtime-rs with QEMU or Firecracker, nor any that is not known to answer, whatever the settings say', () => {
    const askable: readonly string[] = ASKABLE_SHIMS;
    for (const runtime of RUNTIMES) {
      for (const hypervisor of HYPERVISORS) {
        const isKnown = askable.includes(`${runtime}/${hypervisor}`);
        expect([runtime, hypervisor, mayBeAsked(sandbox({ runtime, hypervisor }), EVERYTHING)]).toEqual([
          ...[runtime, hypervisor],
          isKnown ? Outcome.ok : Outcome.unsupported,
        ]);
      }
    }
    expect(askable).not.toContain('rust/qemu');
    expect(askable).not.toContain('rust/firecracker');
  });

  it('none of a runtime or hypervisor that nobody tells', () => {
    expect(mayBeAsked(sandbox({ hypervisor: 'qemu' }), EVERYTHING)).toBe(Outcome.unsupported);
    expect(mayBeAsked(sandbox({ runtime: 'go' }), EVERYTHING)).toBe(Outcome.unsupported);
    expect(mayBeAsked(sandbox({ runtime: 'rust' }), EVERYTHING)).toBe(Outcome.unsupported);
  });

  it('only those that are configured, by runtime and hypervisor', () => {
    const subject = sandbox({ runtime: 'go', hypervisor: 'qemu' });
    for (const settings of [[], ['go/cloud-hypervisor'], ['rust/qemu'], ['go'], ['qemu']]) {
      expect(mayBeAsked(subject, settings)).toBe(Outcome.notConfigured);
    }
    expect(mayBeAsked(subject, ['rust/dragonball', 'go/qemu'])).toBe(Outcome.ok);
  });

  it('none whose words contradict what is there', () => {
    const says = (words: Case): Outcome => mayBeAsked(sandbox(words), EVERYTHING);
    expect(says({ runtime: 'rust', hypervisor: 'dragonball', same: false })).toBe(Outcome.unsupported);
    expect(says({ runtime: 'rust', hypervisor: 'cloud-hypervisor', same: true })).toBe(Outcome.unsupported);
    expect(says({ runtime: 'go', hypervisor: 'qemu', same: true })).toBe(Outcome.unsupported);
    expect(says({ runtime: 'rust', hypervisor: 'dragonball', sandbox: { vmmInShim: false } })).toBe(Outcome.unsupported);
    expect(says({ runtime: 'rust', hypervisor: 'cloud-hypervisor', sandbox: { vmmInShim: true } })).toBe(Outcome.unsupported);
  });

  it('none of which another source says something else than the files and processes of Kata', () => {
    const subject = sandbox({ runtime: 'rust', hypervisor: 'qemu' });
    for (const told of HYPERVISORS) {
      subject.record = { ...subject.record, hypervisor: told };
      expect(mayBeAsked(subject, EVERYTHING)).toBe(Outcome.unsupported);
    }
    const safe = sandbox({ runtime: 'go', hypervisor: 'qemu' });
    safe.record = { ...safe.record, hypervisor: 'cloud-hypervisor' };
    expect(mayBeAsked(safe, EVERYTHING)).toBe(Outcome.unsupported);
  });

  it('none that is gone, or whose directory is', () => {
    const subject = sandbox({ runtime: 'go', hypervisor: 'qemu' });
    subject.companions.clear();
    expect(mayBeAsked(subject, EVERYTHING)).toBe(Outcome.gone);
    const lost = sandbox({ runtime: 'go', hypervisor: 'qemu' });
    const { directory: _, ...words } = lost.record.sandbox ?? { vmmInShim: false };
    lost.record = { ...lost.record, sandbox: words };
    expect(mayBeAsked(lost, EVERYTHING)).toBe(Outcome.gone);
    lost.record = { id: 's-1' };
    expect(mayBeAsked(lost, EVERYTHING)).toBe(Outcome.gone);
    const ended = sandbox({ runtime: 'go', hypervisor: 'qemu' });
    ended.process = null;
    expect(mayBeAsked(ended, EVERYTHING)).toBe(Outcome.gone);
  });
});

describe('a shim’s process', () => {
  it('has an owner: the effective uid', () => {
    const shim = new FakeProcess();
    shim.files.set('status', 'Name:\tx\nUid:\t1000\t1001\t1002\t1003\nGid:\t5\t5\t5\t5\n');
    expect(ownerOf(shim)).toBe(1001);
    shim.files.set('status', 'Name:\tUid:\t5\n');
    expect(ownerOf(shim)).toBeNull();
    shim.files.set('status', errno('ESRCH'));
    expect(() => ownerOf(shim)).toThrow();
  });
});
