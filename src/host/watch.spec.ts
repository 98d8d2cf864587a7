import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Watch, watchDirectory, watchFile } from './watch.js';

let root: string;
let watch: Watch | undefined;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vmgauge-watch-'));
});
afterEach(() => {
  watch?.close();
  rmSync(root, { recursive: true, force: true });
});

const soon = { timeout: 10_000 };

describe('a watch', () => {
  it('tells of a wanted entry once for several touches, and of no other', async () => {
    const changed = vi.fn<() => void>();
    watch = watchDirectory(root, (name) => name === 'wanted', changed);
    writeFileSync(join(root, 'other'), '');
    mkdirSync(join(root, 'wanted'));
    rmSync(join(root, 'wanted'), { recursive: true });
    mkdirSync(join(root, 'wanted'));
    await vi.waitFor(() => expect(changed).toHaveBeenCalled(), soon);
    expect(changed).toHaveBeenCalledTimes(1);
  });

  it('does not wake up for what is not wanted', async () => {
    const unwanted = vi.fn<() => void>();
    const wanted = vi.fn<() => void>();
    watch = watchDirectory(root, (name) => name === 'wanted', unwanted);
    const all = watchDirectory(root, () => true, wanted);
    writeFileSync(join(root, 'other'), '');
    await vi.waitFor(() => expect(wanted).toHaveBeenCalled(), soon);
    all.close();
    expect(unwanted).not.toHaveBeenCalled();
  });

  it('is silent after it is closed, and where there is nothing to watch', async () => {
    const changed = vi.fn<() => void>();
    watchDirectory(root, () => true, changed).close();
    watchDirectory(join(root, 'missing'), () => true, changed).close();
    const all = vi.fn<() => void>();
    watch = watchFile(join(root, 'file'), all);
    writeFileSync(join(root, 'file'), '');
    await vi.waitFor(() => expect(all).toHaveBeenCalled(), soon);
    expect(changed).not.toHaveBeenCalled();
  });
});
