import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc, statLine } from '../../../test/fake-proc.js';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import { Spawned } from '../../../test/spawned.js';
import { descriptorsHeld, type HeldDirectory } from '../../host/held.js';
import { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import { Stat } from '../../model/process.js';
import { hasEnded, holdProcess, isAlive, ProcfsProcess } from './held-process.js';

const spawned = new Spawned();
let proc: FakeProc;
let heldBefore: number;
beforeEach(() => {
  proc = new FakeProc();
  heldBefore = descriptorsHeld();
});
afterEach(async () => {
  proc.close();
  await spawned.close();
  expect(descriptorsHeld()).toBe(heldBefore);
});

describe('holdProcess', () => {
  it('holds a real process: its numbers, files, threads and descriptors', async () => {
    const child = await spawned.start();
    const process = holdProcess(new Host(), child.pid);
    const text = Buffer.alloc(4096);
    const fields = readFileSync(`/proc/${child.pid}/stat`, 'latin1').split(' ');
    expect(process.startTicks).toBe(Number(fields[21]));
    expect(process.readStat()).toBe(Outcome.ok);
    expect(process.stat[Stat.threads]).toBe(1);
    expect(text.toString('latin1', 0, process.read('statm', text))).toMatch(/^\d+ \d+ /);
    expect(process.threads()).toEqual([String(child.pid)]);
    expect(process.countDescriptors()).toBeGreaterThanOrEqual(3);
    expect(await process.readAsync('comm')).toBe('sleep\n');
    process.close();
  });

  it('sees a process that ended and nobody else: every look says that it is gone', async () => {
    const child = await spawned.start();
    const process = holdProcess(new Host(), child.pid);
    const text = Buffer.alloc(4096);
    process.read('statm', text);
    await spawned.end(child);
    expect(process.readStat()).toBe(Outcome.gone);
    expect(process.statOutcome).toBe(Outcome.gone);
    for (const look of [
      () => process.read('statm', text),
      () => process.read('io', text),
      () => process.threads(),
      () => process.readOnce('status', text),
    ]) {
      expect(look).toThrow(/ESRCH|ENOENT/);
    }
    expect(() => holdProcess(new Host(), child.pid)).toThrow(/ESRCH|ENOENT/);
    process.close();
  });

  it('reads a zombie, and knows that it is one', () => {
    proc.addProcess(7, { state: 'Z', userTicks: 99 });
    const process = holdProcess(proc.host(), 7);
    expect(hasEnded(process.stateCode)).toBe(true);
    expect(process.stat[Stat.userTicks]).toBe(99);
    process.close();
  });

  it('says so when stat no longer parses, and again when it does', () => {
    proc.addProcess(7);
    const process = holdProcess(proc.host(), 7);
    proc.write('7/stat', '7 (x) S 1 2 3');
    expect(process.readStat()).toBe(Outcome.malformed);
    expect(process.statOutcome).toBe(Outcome.malformed);
    proc.write('7/stat', statLine({ pid: 7, userTicks: 5 }));
    expect(process.readStat()).toBe(Outcome.ok);
    expect(process.statOutcome).toBe(Outcome.ok);
    expect(process.stat[Stat.userTicks]).toBe(5);
    process.close();
  });

  it.each(['', '7 (x) S 1', 'x'.repeat(100_000), '\0'])('refuses a process whose stat is %j, and keeps nothing open', (text) => {
    proc.addProcess(7);
    proc.write('7/stat', text);
    expect(() => holdProcess(proc.host(), 7)).toThrow('stat of 7 cannot be read');
  });

  it('refuses a pid that nobody has', () => {
    expect(() => holdProcess(proc.host(), 7)).toThrow('ENOENT');
  });
});

describe('a file that cannot be opened', () => {
  function holdWith(refuse: (entry: string) => Error | undefined): ProcfsProcess {
    proc.addProcess(7);
    const host = proc.host();
    const directory: HeldDirectory = host.holdDirectory(host.proc('7'));
    const open = directory.open.bind(directory);
    directory.open = (entry) => {
      const refusal = refuse(entry);
      if (refusal) throw refusal;
      return open(entry);
    };
    return new ProcfsProcess(7, directory, host);
  }

  it('is asked for once when we may not read it', () => {
    let asked = 0;
    const process = holdWith((entry) => {
      if (entry !== 'io') return undefined;
      asked++;
      return errno('EACCES');
    });
    for (let look = 0; look < 3; look++) expect(() => process.read('io', Buffer.alloc(10))).toThrow('EACCES');
    expect(process.read('statm', Buffer.alloc(1000))).toBeGreaterThan(0);
    expect(asked).toBe(1);
    process.close();
  });

  it('is asked for again when descriptors were short', () => {
    let short = true;
    const process = holdWith((entry) => (entry === 'io' && short ? errno('EMFILE') : undefined));
    expect(() => process.read('io', Buffer.alloc(10))).toThrow('EMFILE');
    short = false;
    expect(process.read('io', Buffer.alloc(1000))).toBeGreaterThan(0);
    process.close();
  });
});

it('may not count the descriptors of a process that it may not look at, where the kernel tells the number by size or not', () => {
  proc.addProcess(7);
  const host = proc.host();
  const directory = host.holdDirectory(host.proc('7'));
  directory.openDirectory = () => {
    throw errno('EACCES');
  };
  const process = new ProcfsProcess(7, directory, host);
  expect(() => process.descriptorCount()).toThrow('EACCES');
  expect(() => process.countDescriptors()).toThrow('EACCES');
  process.close();
});

describe('a process that is held', () => {
  it('lives as long as its stat can be read and it is no zombie', () => {
    const process = new FakeProcess();
    expect(isAlive(process)).toBe(true);
    const stat = String(process.files.get('stat'));
    process.files.set('stat', stat.replace(/\) [A-Z] /, ') Z '));
    expect(isAlive(process)).toBe(false);
    process.files.set('stat', errno('ESRCH'));
    expect(isAlive(process)).toBe(false);
  });
});
