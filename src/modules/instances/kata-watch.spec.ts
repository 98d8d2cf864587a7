import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { FakeKata } from '../../../test/fake-kata.js';

let kata: FakeKata;
const changed = vi.fn<() => void>();
beforeEach(() => {
  kata = new FakeKata();
  changed.mockClear();
});
afterEach(() => kata.close());

/** Until the watch has told of what just happened. */
async function told(): Promise<void> {
  await vi.waitFor(() => expect(changed).toHaveBeenCalled(), { timeout: 10_000 });
  changed.mockClear();
}

it('follows a root that appears part by part, goes and comes again', async () => {
  kata.directory('.');
  await kata.source.start(changed);
  for (const path of ['vc', 'vc/sbs', 'vc/sbs/s1']) {
    mkdirSync(kata.run(path));
    await told();
    await kata.source.list();
  }
  renameSync(kata.run('vc/sbs'), kata.run('vc/old'));
  await kata.source.list();
  mkdirSync(kata.run('vc/sbs'));
  await told();
  await kata.source.list();
  mkdirSync(kata.run('vc/sbs/s2'));
  await told();
});

it('watches both roots, and nothing once it is stopped', async () => {
  kata.directory('vc/sbs');
  kata.directory('kata');
  await kata.source.start(changed);
  mkdirSync(kata.run('kata/s1'));
  await told();
  rmSync(kata.run('kata/s1'), { recursive: true });
  await told();
  kata.source.stop();
  await kata.source.list();
  mkdirSync(kata.run('vc/sbs/s1'));
  const other = vi.fn<() => void>();
  await kata.source.start(other);
  mkdirSync(kata.run('vc/sbs/s2'));
  await vi.waitFor(() => expect(other).toHaveBeenCalled(), { timeout: 10_000 });
  expect(changed).not.toHaveBeenCalled();
});

it('costs nothing where there is no run directory', async () => {
  await kata.source.start(changed);
  expect(await kata.list()).toEqual([]);
  expect(kata.source.problems.size).toBe(0);
});
