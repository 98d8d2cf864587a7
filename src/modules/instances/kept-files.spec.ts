import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Host } from '../../host/host.js';
import { KeptFiles, mapBounded } from './kept-files.js';
import { MalformedError } from './problems.js';

let directory: string;
let parses: string[];
/** Milliseconds that the host's clock is ahead of the files' time stamps. */
let ahead: number;
let monotonic: number;
let files: KeptFiles<string>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-kept-'));
  parses = [];
  ahead = 0;
  monotonic = 0;
  const host = new Host({}, { now: () => Date.now() + ahead, monotonic: () => monotonic });
  files = new KeptFiles(host, 1000, (text, key) => {
    parses.push(text);
    if (text === 'bug') throw new TypeError('content');
    if (text.startsWith('bad')) throw new MalformedError('bad text', `bad text: ${text}`);
    return `${key}=${text}`;
  });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const path = (name: string): string => join(directory, name);
const all = (...names: string[]) => files.readAll(new Map(names.map((name) => [name, path(name)])), 1000);

describe('KeptFiles', () => {
  it('parses a file again only when it changed, once it is old enough to show a change', async () => {
    writeFileSync(path('a'), 'one');
    await all('a');
    await all('a');
    expect(parses).toEqual(['one', 'one']);
    ahead = 10_000;
    await all('a');
    await all('a');
    expect(parses).toHaveLength(3);
    writeFileSync(path('a'), 'two');
    expect((await all('a')).get('a')).toEqual({ value: 'a=two' });
    expect(parses).toHaveLength(4);
  });

  it('looks twice at a young bad file, once at an old one, and then not again', async () => {
    writeFileSync(path('a'), 'bad');
    await all('a');
    expect(parses).toHaveLength(2);
    ahead = 10_000;
    await all('a');
    expect((await all('a')).get('a')).toMatchObject({ problem: 'bad text', error: { message: 'bad text: bad' } });
    expect(parses).toHaveLength(3);
  });

  it('keeps the last good value as long as the file is asked for and there', async () => {
    writeFileSync(path('a'), 'one');
    await all('a');
    writeFileSync(path('a'), 'bad');
    expect((await all('a')).get('a')).toMatchObject({ value: 'a=one', problem: 'bad text' });
    expect((await all('a')).get('a')).toMatchObject({ value: 'a=one', problem: 'bad text' });
    await all();
    expect((await all('a')).get('a')?.value).toBeUndefined();
    writeFileSync(path('a'), 'two');
    await all('a');
    rmSync(path('a'));
    expect((await all('a')).get('a')).toMatchObject({ problem: 'the file is missing' });
    expect((await all('a')).get('a')?.value).toBeUndefined();
  });

  it('turns an error of our own into a problem without its text', async () => {
    writeFileSync(path('a'), 'bug');
    writeFileSync(path('b'), 'fine');
    const readings = await all('a', 'b');
    expect(readings.get('a')?.problem).toBe('cannot be read (unexpected error)');
    expect(readings.get('b')).toEqual({ value: 'b=fine' });
  });

  it('stops at the deadline and keeps what it knew', async () => {
    writeFileSync(path('a'), 'one');
    await all('a');
    monotonic = 1000;
    writeFileSync(path('a'), 'two');
    expect((await all('a')).get('a')).toEqual({ value: 'a=one', problem: 'not read: the others took too long' });
  });
});

describe('mapBounded', () => {
  it('keeps the order and at most eight calls under way', async () => {
    let now = 0;
    let most = 0;
    const results = await mapBounded(
      Array.from({ length: 50 }, (_, i) => i),
      async (i) => {
        most = Math.max(most, ++now);
        await sleep(i % 3);
        now--;
        return i * 2;
      },
    );
    expect(results).toEqual(Array.from({ length: 50 }, (_, i) => i * 2));
    expect(most).toBe(8);
  });
});
