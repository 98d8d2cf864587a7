import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type RunningAgent, record, startAgent } from './agent.js';
import { Cleanup } from './cleanup.js';
import { until } from './until.js';

const cleanup = new Cleanup();
const SUCCESSFUL = 'vmgauge_config_last_reload_successful';

describe('SIGHUP', () => {
  let agent: RunningAgent;
  let directory: string;
  const path = (name: string): string => join(directory, name);
  const say = (text: string): void => writeFileSync(path('vmgauge.yaml'), text);

  beforeAll(async () => {
    directory = cleanup.directory();
    // Nothing sweeps by itself: the age of an answer is what max-age makes it.
    say('log: {level: info}\ncollection: {max-age: 1h, interval: 1h}\n');
    agent = await startAgent(cleanup, [`--config.file=${path('vmgauge.yaml')}`]);
  });

  const sweep = async (): Promise<unknown> => (await agent.json('/stats')).sequence;

  async function reload(word: RegExp): Promise<string> {
    const before = agent.child.stderr.length;
    agent.child.signal('SIGHUP');
    return until(
      () => (word.test(agent.child.stderr.slice(before)) ? agent.child.stderr.slice(before) : undefined),
      () => `${word} after ${agent.child.stderr}`,
    );
  }

  it('takes over collection.max-age and log.level', async () => {
    expect(await sweep()).toBe(await sweep());
    expect(agent.child.stderr).not.toContain('"url":"/stats"');
    say('log: {level: debug}\ncollection: {max-age: 0s, interval: 1h}\n');
    await reload(/changed: collection\.max-age, log\.level/);
    expect(Number(await sweep())).toBeLessThan(Number(await sweep()));
    await agent.child.wrote('stderr', /"url":"\/stats"/);
    expect(await agent.metric(SUCCESSFUL)).toBe(1);
  });

  it('keeps what it has and says so while the file is bad, until it is good again', async () => {
    say('log: {level: debug}\ncollection: {max-age: soon, interval: 1h}\n');
    const refusal = await reload(/reload refused/);
    expect(refusal).toContain(String.raw`collection.max-age: \"soon\"`);
    expect(refusal).toContain('vmgauge.yaml line 2');
    expect(await agent.metric(SUCCESSFUL)).toBe(0);
    expect(Number(await sweep())).toBeLessThan(Number(await sweep()));
    say('collection: {max-age: 1h, interval: 1h}\n');
    await reload(/changed: collection\.max-age, log\.level/);
    expect(await agent.metric(SUCCESSFUL)).toBe(1);
    expect(await sweep()).toBe(await sweep());
  });

  it('tells which settings wait for a restart', async () => {
    say('collection: {max-age: 1h, interval: 30m}\n');
    expect(await reload(/need a restart/)).toContain('collection.interval');
  });
});

describe('a registration file', () => {
  it('is read again when it changes; a bad one leaves the old list and stops no SIGHUP from telling', async () => {
    const file = join(cleanup.directory(), 'instances.yaml');
    const say = (text: string): void => {
      writeFileSync(`${file}.new`, text);
      renameSync(`${file}.new`, file);
    };
    say('instances: [{id: one, name: first}]\n');
    const agent = await startAgent(cleanup, [`--source.file.path=${file}`]);
    const named = async (source: string): Promise<string[]> => {
      const { instances } = await agent.json(`/instances?source=${source}`);
      return Array.isArray(instances) ? instances.map((instance: unknown) => String(record(instance).id)) : [];
    };
    const shows = (ids: readonly string[]): Promise<true> =>
      until(
        async () => ((await named('file')).join() === ids.join() ? (true as const) : undefined),
        () => `the instances ${ids.join()}`,
      );
    await shows(['one']);
    say('instances: [{id: one, name: first}, {id: two, vcpus: 4}]\n');
    await shows(['one', 'two']);
    say('instances: [{id: one}, {id: two, vcpus: many}]\n');
    agent.child.signal('SIGHUP');
    await agent.child.wrote('stderr', /reload refused.*instances\[1\]: vcpus/);
    expect(await agent.metric(SUCCESSFUL)).toBe(0);
    expect(await named('file')).toEqual(['one', 'two']);
    say('instances: [{id: two}]\n');
    await shows(['two']);
    agent.child.signal('SIGHUP');
    await agent.child.wrote('stderr', /configuration read again/);
    expect(await agent.metric(SUCCESSFUL)).toBe(1);
  });
});
