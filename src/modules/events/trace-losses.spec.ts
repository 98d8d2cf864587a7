import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { TICK } from '../../../test/telling.js';
import { ProgramMisses, TraceLosses } from './trace-losses.js';

const ERROR = '{"type": "helper_error", "msg": "x", "helper": "map_update_elem", "retcode": -7, "line": 1, "col": 2}';
const lost = (events: number): string => `{"type": "lost_events", "data": {"events": ${events}}}`;

describe('losses', () => {
  it('are told a hundred times, and then how many more before the tick', () => {
    const losses = new TraceLosses(() => null);
    const errors = (count: number): string[] => Array.from({ length: count }, () => losses.take(ERROR)).flat();
    expect(errors(100)).toHaveLength(100);
    expect([losses.isFlooded, losses.take(TICK)]).toEqual([false, [TICK]]);
    expect(errors(1000)).toHaveLength(100);
    expect(losses.isFlooded).toBe(true);
    expect(losses.take('another')).toEqual(['another']);
    expect(losses.take(TICK)).toEqual([lost(900), TICK]);
    expect([losses.isFlooded, losses.take(TICK)]).toEqual([false, [TICK]]);
  });

  it('are also what the kernel missed, where it tells', () => {
    let missed: number | null = 0;
    const losses = new TraceLosses(() => missed);
    expect(losses.take(TICK)).toEqual(['{"type": "missed_events", "data": {"events": 0}}', TICK]);
    missed = null;
    expect(losses.take(TICK)).toEqual([TICK]);
  });
});

describe('misses', () => {
  let proc: FakeProc;
  let misses: ProgramMisses;
  beforeEach(() => {
    proc = new FakeProc();
    proc.write('sys/kernel/osrelease', '6.7.0-rc1\n');
    misses = new ProgramMisses(proc.host());
  });
  afterEach(() => proc.close());
  const write = (fd: number, text: string): void => proc.write(`7/fdinfo/${fd}`, text);
  const program = (fd: number, count: number | string): void =>
    write(fd, `pos:\t0\nflags:\t02000002\nprog_type:\t5\nrun_cnt:\t0\nrecursion_misses:\t${count}\nverified_insns:\t12\n`);

  it('are those of all programs', () => {
    program(10, 3);
    program(11, 4);
    write(12, 'pos:\t0\nmap_type:\t5\n');
    expect(misses.read(7)).toBe(7);
    program(10, 5);
    expect(misses.read(7)).toBe(9);
  });

  it('are not known of a kernel that does not tell, nor of what has ended', () => {
    write(10, 'pos:\t0\nprog_type:\t5\n');
    expect(misses.read(7)).toBeNull();
    expect(new ProgramMisses(proc.host()).read(8)).toBeNull();
  });

  it.each([
    ['5.15.0-91-generic', null],
    ['6.6.87', null],
    ['6.7', 3],
    ['6.18.5+', 3],
    ['7.0.1', 3],
    ['', null],
    ['Linux', null],
  ])('are counted from Linux 6.7 on: %j', (release, count) => {
    proc.write('sys/kernel/osrelease', `${release}\n`);
    program(10, 3);
    expect(misses.read(7)).toBe(count);
  });

  it.each(['', '-1', 'many'])('that are %j are none', (count) => {
    program(10, count);
    expect(misses.read(7)).toBeNull();
  });
});
