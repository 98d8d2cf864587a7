import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TopicTrial } from '../../../test/topic-trial.js';
import { FULL_ANSWER } from '../../../test/vmm-answer.js';
import { Outcome } from '../../model/outcome.js';
import { GuestMemoryCollector } from './guest-memory.collector.js';

let trial: TopicTrial;
beforeEach(() => {
  trial = new TopicTrial(GuestMemoryCollector);
});
afterEach(() => trial.close());

describe('the collector guest_memory', () => {
  it('has every number that the guest reported, and its age', async () => {
    expect(await trial.says(FULL_ANSWER)).toBe(Outcome.ok);
    const { guest } = FULL_ANSWER;
    expect(trial.cells()).toEqual({
      'memory.guest.total_bytes': guest.totalBytes,
      'memory.guest.used_bytes': guest.totalBytes - guest.availableBytes,
      'memory.guest.available_bytes': guest.availableBytes,
      'memory.guest.free_bytes': guest.freeBytes,
      'memory.guest.disk_caches_bytes': guest.diskCachesBytes,
      'memory.guest.swap_in_bytes': 4096,
      'memory.guest.swap_out_bytes': 8192,
      'memory.guest.major_faults': 153,
      'memory.guest.minor_faults': 20_441,
      'memory.guest.hugetlb_allocations': 3,
      'memory.guest.hugetlb_failures': 1,
      'memory.guest.oom_kills': 2,
      'memory.guest.sample_age_seconds': 10_000,
      'memory.guest.sample_timestamp_seconds': guest.sampledMs,
    });
  });

  it('lets the age grow between two answers', async () => {
    await trial.says(FULL_ANSWER);
    trial.proc.clock.ms += 7_500;
    trial.sweep();
    expect(trial.cells()['memory.guest.sample_age_seconds']).toBe(17_500);
  });

  it('works out what is used only from two numbers of one report', async () => {
    await trial.says({ guest: { totalBytes: 100, freeBytes: 30 } });
    expect(trial.cells()).toEqual({ 'memory.guest.total_bytes': 100, 'memory.guest.free_bytes': 30 });
    await trial.says({ guest: { availableBytes: 40 } });
    expect(trial.cells()).toEqual({ 'memory.guest.available_bytes': 40 });
    await trial.says({ guest: { totalBytes: 30, availableBytes: 40 } });
    expect(trial.cells()).not.toHaveProperty('memory.guest.used_bytes');
  });

  it('takes a report from the future for one that has just come', async () => {
    await trial.says({ guest: { totalBytes: 1, sampledMs: 1_700_001_009_000 } });
    expect(trial.cells()['memory.guest.sample_age_seconds']).toBe(0);
  });

  it.each([
    ['nothing', {}],
    ['sentinels alone', { totalBytes: 2 ** 64 - 1, freeBytes: 2 ** 63, majorFaults: Number.NaN, oomKills: -1, minorFaults: Infinity }],
  ])('says unsupported and no number when %s was told', async (_, guest) => {
    expect(await trial.says({ guest })).toBe(Outcome.unsupported);
    expect(trial.cells()).toEqual({});
  });

  it('says why where the guest told nothing', async () => {
    await trial.says(FULL_ANSWER);
    expect(await trial.says({ guest: Outcome.notConfigured })).toBe(Outcome.notConfigured);
    expect(trial.cells()).toEqual({});
  });

  it('keeps what was told while a round is not answered, and has no turn once that is too long ago', async () => {
    await trial.says(FULL_ANSWER);
    expect(await trial.says(Outcome.timeout)).toBe(Outcome.ok);
    trial.proc.clock.ms += 10 * 60_000;
    trial.asker.look(trial.subject);
    expect(trial.sweep()).toBeNaN();
    expect(trial.cells()).toEqual({});
  });
});
