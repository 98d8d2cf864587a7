import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Host } from '../host/host.js';
import { KeptRegistrations } from './kept-registrations.js';

describe('registrations of an agent that does not run', () => {
  let directory: string;
  let store: string;
  let source: KeptRegistrations;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'vmgauge-kept-'));
    store = join(directory, 'registrations.json');
    source = new KeptRegistrations(new Host(), store);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('are those of the store', async () => {
    writeFileSync(store, '{"instances":[{"id":"a","name":"web","pid":7,"start_ticks":9},{"id":"b","vcpus":2}]}');
    expect(await source.list()).toMatchObject([
      { id: 'a', name: 'web', process: { pid: 7, startTicks: 9 } },
      { id: 'b', vcpus: 2 },
    ]);
    expect([...source.problems]).toEqual([]);
  });

  it('are none without a store, which is not made', async () => {
    expect(await source.list()).toEqual([]);
    expect(() => readFileSync(store)).toThrow('ENOENT');
  });

  it.each(['', '{', '[]', '{"instances":7}', '{"instances":[],"x":1}'])('are none in %j, which stays as it is', async (text) => {
    writeFileSync(store, text);
    expect(await source.list()).toEqual([]);
    expect([...source.problems.keys()]).toEqual([store]);
    expect(readFileSync(store, 'utf8')).toBe(text);
  });

  it('are the good ones of a store that has bad ones as well', async () => {
    writeFileSync(store, '{"instances":[{"id":"a"},{"id":"/"},{"id":"a"},{"id":"b"}]}');
    expect((await source.list()).map(({ id }) => id)).toEqual(['a', 'b']);
    expect(source.problems.size).toBe(1);
    writeFileSync(store, '{"instances":[{"id":"a"}]}');
    await source.list();
    expect(source.problems.size).toBe(0);
  });

  it('cannot be told from a store that cannot be read', async () => {
    mkdirSync(store);
    await expect(source.list()).rejects.toThrow();
  });
});
