import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { House, ToldSource } from '../../../test/house.js';
import { Agent } from './agent.js';
import { HostCollection } from './host-collection.js';

const NEVER_MS = 2 ** 31 - 1;

/** A source that was told whom to tell. */
class WatchingSource extends ToldSource {
  changed: () => void = () => expect.fail('was not started');

  start(changed: () => void): void {
    this.changed = changed;
  }
}

let proc: FakeProc;
let source: WatchingSource;
let house: House;
let agent: Agent;
beforeEach(async () => {
  proc = new FakeProc();
  source = new WatchingSource();
  house = new House(proc.host(), undefined, { sources: [source] });
  Object.assign(house.settings, { rescanIntervalMs: NEVER_MS, sweepIntervalMs: NEVER_MS });
  const ofHost = new HostCollection(
    [],
    () => true,
    house.host.clock,
    () => undefined,
  );
  agent = new Agent(house.host, house.settings, house.registry, house.collection, house.discovery, ofHost, [source]);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  await agent.onApplicationBootstrap();
});
afterEach(async () => {
  await agent.onApplicationShutdown();
  vi.useRealTimers();
  await house.close();
  proc.close();
});

it('looks once for all that a source was told of within a moment, and samples what it found', async () => {
  const { rescans } = house.registry;
  proc.addProcess(7);
  source.records = [{ id: 'new', process: { pid: 7 } }];
  for (let times = 0; times < 100; times++) source.changed();
  await vi.advanceTimersByTimeAsync(1000);
  await vi.waitUntil(() => house.collection.order.keys.some(({ id }) => id === 'new'));
  expect(house.registry.rescans).toBe(rescans + 1);
});

it('looks again for what is told after that', async () => {
  const { rescans } = house.registry;
  for (let times = 0; times < 2; times++) {
    source.changed();
    await vi.advanceTimersByTimeAsync(1000);
    await vi.waitUntil(() => house.registry.rescans === rescans + times + 1);
  }
});

it('does not look any more when it has been shut down', async () => {
  const { rescans } = house.registry;
  await agent.onApplicationShutdown();
  source.changed();
  await vi.advanceTimersByTimeAsync(1000);
  expect(house.registry.rescans).toBe(rescans);
});
