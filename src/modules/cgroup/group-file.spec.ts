import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { descriptorsHeld } from '../../host/held.js';
import { GroupFile } from './group-file.js';

const text = Buffer.alloc(64);
let proc: FakeProc;
let heldBefore: number;
beforeEach(() => {
  heldBefore = descriptorsHeld();
  proc = new FakeProc();
  write('1\n');
});
afterEach(() => {
  expect(descriptorsHeld()).toBe(heldBefore);
  proc.close();
});

const write = (content: string): void => proc.write('sys/fs/cgroup/vm/memory.current', content);
const remove = (): void => rmSync(`${proc.root}/sys/fs/cgroup/vm`, { recursive: true });
const open = (mayHold: boolean): GroupFile => {
  const host = proc.host();
  return new GroupFile(host, host.cgroup('vm', 'memory.current'), mayHold);
};
const said = (file: GroupFile): string => text.toString('latin1', 0, file.read(text));

describe.each([true, false])('a file of a cgroup, held: %s', (mayHold) => {
  it('says what it says now', () => {
    const file = open(mayHold);
    expect(descriptorsHeld()).toBe(heldBefore + Number(mayHold));
    expect(said(file)).toBe('1\n');
    write('22\n');
    expect(said(file)).toBe('22\n');
    file.close();
  });

  it('that is not there is not opened', () => {
    remove();
    expect(() => open(mayHold)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });
});

describe('one that may not be held', () => {
  it('is gone with its cgroup', () => {
    const file = open(false);
    remove();
    expect(() => said(file)).toThrow(expect.objectContaining({ code: 'ENODEV' }));
  });

  it('is never the one that is made at its path later', () => {
    const file = open(false);
    // Kept for the length of the test: a file system gives a free inode away again, which the kernel never does with cgroups.
    const old = open(true);
    remove();
    write('666\n');
    for (let turn = 0; turn < 2; turn++) expect(() => said(file)).toThrow(expect.objectContaining({ code: 'ENODEV' }));
    old.close();
  });
});
