import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import type { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import { readKin } from './kin.js';

const OWN = 4242;
const buffer = Buffer.alloc(64);
let proc: FakeProc;
let host: Host;
let process: FakeProcess;
beforeEach(() => {
  proc = new FakeProc();
  host = proc.host();
  process = new FakeProcess(new Map());
  be('virtiofsd', 7);
});
afterEach(() => proc.close());

/** Name and parent of the process that is asked about. */
const be = (name: string, parent: number): unknown => process.files.set('stat', `${OWN} (${name}) S ${parent} 1 1\n`);
const children = (list: string): unknown => process.files.set(`task/${OWN}/children`, list);
/** Somebody else, known by the content of one file. */
function live(pid: number, name: string): void {
  proc.write(`${pid}/comm`, `${name}\n`);
  proc.write(`${pid}/what`, `of ${pid}`);
}
const kin = (): string[] | Outcome => {
  const found = readKin(host, process, (pid, file) => `${pid} ${buffer.toString('latin1', 0, file('what', buffer))}`);
  return typeof found === 'number' ? found : [...found].sort();
};

describe('the kin of a virtiofsd', () => {
  it('is the child that serves, where the one that waits is known', () => {
    live(7, 'containerd-shim');
    live(8, 'virtiofsd');
    children('8 ');
    expect(kin()).toEqual(['8 of 8']);
  });

  it('is the parent that waits, where the one that serves is known', () => {
    live(7, 'virtiofsd');
    expect(kin()).toEqual(['7 of 7']);
  });

  it.each(['containerd-shim', 'systemd', 'virtiofs', 'virtiofsd2', ''])('is no parent that is called %j', (name) => {
    live(7, name);
    expect(kin()).toEqual([]);
  });

  it('is told by whatever name it has', () => {
    for (const name of ['a) S 9 (b', ') R 9 ', 'x\ny']) {
      live(7, name);
      be(name, 7);
      expect(kin()).toEqual(['7 of 7']);
    }
  });

  it('is nobody where the kernel lists no children and the parent is gone', () => {
    expect(kin()).toEqual([]);
  });

  it.each(['garbage\n', '', `${OWN} (virtio`])('cannot be told from %j', (line) => {
    process.files.set('stat', line);
    expect(kin()).toBe(Outcome.malformed);
  });

  it('is nobody who was it only before: the pid may be another process by now', () => {
    live(8, 'virtiofsd');
    live(9, 'virtiofsd');
    children('8 9 ');
    const found = readKin(host, process, (pid) => {
      children('9 ');
      return pid;
    });
    expect(found).toEqual(['9']);
  });

  it('is no number that the kernel did not write to the end, and no more than a few', () => {
    for (const pid of [8, 9, 90]) live(pid, 'virtiofsd');
    children('8 90');
    expect(kin()).toEqual(['8 of 8']);
    for (let pid = 100; pid < 140; pid++) live(pid, 'virtiofsd');
    children(Array.from({ length: 40 }, (_, i) => `${100 + i} `).join(''));
    expect(kin()).toHaveLength(16);
  });

  it('cannot be told where it may not be asked', () => {
    process.files.set(`task/${OWN}/children`, errno('EACCES'));
    expect(kin).toThrow('EACCES');
  });
});
