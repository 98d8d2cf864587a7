import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBounded } from './bounded.js';

let room: string;
beforeAll(() => {
  room = mkdtempSync(join(tmpdir(), 'vmgauge-bounded-'));
});
afterAll(() => rmSync(room, { recursive: true, force: true }));

describe('readBounded', () => {
  it.each([0, 1, 16_383, 16_384, 16_385, 100_000])('reads a file of %d bytes whole, to its limit and not beyond', (length) => {
    const path = join(room, String(length));
    writeFileSync(path, 'x'.repeat(length));
    expect(readBounded(path, length).toString()).toBe('x'.repeat(length));
    if (length > 0) expect(() => readBounded(path, length - 1)).toThrow(expect.objectContaining({ code: 'EFBIG' }));
  });

  it('reads kernel files, whose size is 0', () => {
    expect(readBounded('/proc/self/stat', 4096).length).toBeGreaterThan(100);
  });

  it('ends at the limit of a file without end', () => {
    expect(() => readBounded('/dev/zero', 100_000)).toThrow(expect.objectContaining({ code: 'EFBIG' }));
  });

  it('does not wait for a FIFO that nobody writes to', () => {
    const path = join(room, 'fifo');
    execFileSync('mkfifo', [path]);
    expect(readBounded(path, 10)).toHaveLength(0);
  });

  it('throws the system’s errors', () => {
    expect(() => readBounded(join(room, 'nothing'), 10)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => readBounded(room, 10)).toThrow(expect.objectContaining({ code: 'EISDIR' }));
  });
});
