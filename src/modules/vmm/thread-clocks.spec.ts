import { beforeEach, describe, expect, it } from 'vitest';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import { kernelSample, truncations } from '../../../test/kernel-samples.js';
import { Outcome } from '../../model/outcome.js';
import type { Thread } from '../shim/threads.js';
import { ThreadClocks } from './thread-clocks.js';
import type { ThreadClock } from './vcpu-ledger.js';

let process: FakeProcess;
let clocks: ThreadClocks;
beforeEach(() => {
  process = new FakeProcess(new Map([['stat', kernelSample('qemu-7.2-kvm/stat')]]));
  clocks = new ThreadClocks(process);
});
const thread = (id: number, ticks = 3): Thread => ({ key: `${id}@7`, name: 'CPU 0/KVM', ticks, guestTicks: 0 });
const schedule = (id: number, text: string | Error): unknown => process.files.set(`task/${id}/schedstat`, text);
function read(...threads: Thread[]): Outcome | ThreadClock[] {
  const found = clocks.read(threads);
  return typeof found === 'number' ? found : [...found.values()];
}
const TICKS = { run: 30_000, wait: Number.NaN, timeslices: Number.NaN };

describe('what threads used', () => {
  it('is time on a CPU, time waiting for one, and turns', () => {
    schedule(11, '1500999 2000999 7\n');
    expect(read(thread(11))).toEqual([{ run: 1500, wait: 2000, timeslices: 7 }]);
  });

  it('is CPU time in ticks on a kernel without schedules, and the rest is not known', () => {
    expect(read(thread(11), thread(12, 5))).toEqual([TICKS, { ...TICKS, run: 50_000 }]);
  });

  it('is CPU time in ticks on a kernel that writes zeros', () => {
    schedule(11, '0 0 0\n');
    expect(read(thread(11))).toEqual([TICKS]);
  });

  it('may be nothing yet', () => {
    schedule(11, '0 0 0\n');
    expect(read(thread(11, 0))).toEqual([{ run: 0, wait: 0, timeslices: 0 }]);
  });

  it('is by one clock for the life of a process', () => {
    schedule(11, '1500999 2000999 7\n');
    read(thread(11));
    schedule(11, errno('ENOENT'));
    expect(read(thread(11))).toEqual([]);
    clocks = new ThreadClocks(process);
    expect(read(thread(11))).toEqual([TICKS]);
    schedule(11, '1500999 2000999 7\n');
    expect(read(thread(11))).toEqual([TICKS]);
  });

  it('leaves out a thread that ended since it was listed', () => {
    schedule(11, '1500999 2000999 7\n');
    schedule(12, errno('ESRCH'));
    expect(read(thread(11), thread(12))).toEqual([{ run: 1500, wait: 2000, timeslices: 7 }]);
  });

  it.each([
    ['EACCES', Outcome.notPermitted],
    ['EMFILE', Outcome.busy],
    ['EIO', Outcome.ioError],
  ])('is not known at all where one gives %s', (code, outcome) => {
    schedule(11, '1500999 2000999 7\n');
    schedule(12, errno(code));
    expect(read(thread(11), thread(12))).toBe(outcome);
  });

  it('is malformed where a line is cut, or says what no kernel counts', () => {
    for (const cut of [...truncations('1500999 2000999 7\n'), '18446744073709551615 0 0\n']) {
      schedule(11, cut);
      expect(read(thread(11))).toBe(Outcome.malformed);
    }
  });
});
