import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { House } from '../../../test/house.js';
import { sandboxRecord, ToldSandboxes } from '../../../test/sandboxes.js';
import { ApiError } from '../../model/errors.js';
import type { Companion } from '../../model/instance.js';
import { KataMonitor } from './kata-monitor.js';

let proc: FakeProc;
let house: House;
let monitor: KataMonitor;
beforeEach(() => {
  proc = new FakeProc();
  house = new House(proc.host(), (tables) => [new ToldSandboxes(tables)]);
  monitor = new KataMonitor(house.registry, house.host, house.settings);
});
afterEach(async () => {
  monitor.onApplicationShutdown();
  await house.close();
  proc.close();
});

const samples = (name: string) =>
  [
    ...(monitor
      .families()
      .find((family) => family.name === name)
      ?.samples() ?? []),
  ].map(({ labels, suffix = '', value }) => [`${suffix}${labels.toString()}`, value]);
const value = (name: string): number => {
  const [[, only], ...others] = samples(name);
  expect(others).toEqual([]);
  return Number(only);
};

describe('the shims that run', () => {
  it('are counted by what lives, with and without a VMM, not by directories', async () => {
    proc.addProcess(7);
    proc.addProcess(8);
    const companions: Companion[] = [{ role: 'shim', pid: 8, startTicks: 271431 }];
    const of = (id: string) => sandboxRecord(id, 7, { companions });
    house.told.records = [of('a'), { ...of('b'), process: undefined }, { ...sandboxRecord('c', 8), companions: [] }];
    await house.turn();
    expect(value('kata_monitor_running_shim_count')).toBe(2);
    house.told.records = [of('a')];
    await house.turn();
    expect(value('kata_monitor_running_shim_count')).toBe(1);
  });
});

describe('scrapes', () => {
  it('are counted and timed, each from its own beginning', async () => {
    for (const ms of [0.5, 3, 600]) {
      await monitor.scrape(async () => {
        proc.clock.ms += ms;
      });
    }
    expect(value('kata_monitor_scrape_count')).toBe(3);
    expect(value('kata_monitor_scrape_failed_count')).toBe(0);
    expect(samples('kata_monitor_scrape_durations_histogram_milliseconds')).toEqual([
      ['_bucketle="1"', 1],
      ['_bucketle="2"', 1],
      ...[4, 8, 16, 32, 64, 128, 256, 512].map((bound) => [`_bucketle="${bound}"`, 2]),
      ['_bucketle="+Inf"', 3],
      ['_sum', 603.5],
      ['_count', 3],
    ]);
  });

  it('count themselves while they are under way', async () => {
    expect(await monitor.scrape(async () => value('kata_monitor_scrape_count'))).toBe(1);
  });

  it('fail where the agent could not answer, not where the client asked wrongly', async () => {
    const errors = [
      new Error('defect'),
      new ApiError('unavailable', ''),
      new ApiError('rate_limited', ''),
      new ApiError('invalid_request', ''),
      new ApiError('not_found', ''),
    ];
    for (const error of errors) await expect(monitor.scrape(() => Promise.reject(error))).rejects.toBe(error);
    expect([value('kata_monitor_scrape_count'), value('kata_monitor_scrape_failed_count')]).toEqual([5, 3]);
  });

  it('have the answer of the work', async () => {
    expect(await monitor.scrape(async () => 'page')).toBe('page');
  });
});

describe('the agent’s own process', () => {
  it('is said as kata-monitor says it, with numbers of this process', () => {
    expect(value('kata_monitor_process_open_fds')).toBeGreaterThan(2);
    expect(value('kata_monitor_process_max_fds')).toBeGreaterThanOrEqual(value('kata_monitor_process_open_fds'));
    expect(value('kata_monitor_process_resident_memory_bytes')).toBeGreaterThan(2 ** 20);
    expect(value('kata_monitor_process_virtual_memory_bytes')).toBeGreaterThan(value('kata_monitor_process_resident_memory_bytes'));
    expect(value('kata_monitor_process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(Math.abs(value('kata_monitor_process_start_time_seconds') - performance.timeOrigin / 1000)).toBeLessThan(0.01);
    expect(value('kata_monitor_go_threads')).toBeGreaterThan(1);
    expect(value('kata_monitor_go_goroutines')).toBeGreaterThanOrEqual(0);
  });

  it('counts collections of garbage', async () => {
    monitor.families();
    const count = (): number => Number(samples('kata_monitor_go_gc_duration_seconds')[1][1]);
    const before = count();
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    collect();
    await expect.poll(count, { timeout: 60_000 }).toBeGreaterThan(before);
    const [[sum, seconds], [suffix]] = samples('kata_monitor_go_gc_duration_seconds');
    expect([sum, Number(seconds) > 0, suffix]).toEqual(['_sum', true, '_count']);
  }, 90_000);

  it('says nothing of itself where that is switched off, so that a page of a frozen host stays the same', () => {
    house.settings.exporterMetrics = false;
    expect(monitor.families().map(({ name }) => name)).toEqual(['kata_monitor_running_shim_count']);
  });
});
