import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { StoppedClock } from '../../test/fake-proc.js';
import { turnsDuring } from '../../test/holding.js';
import { systemClock } from './clock.js';
import { piecesOf } from './pieces.js';

const LONG_MS = 60_000;
const directory = mkdtempSync(join(tmpdir(), 'vmgauge-pieces-'));
afterAll(() => rmSync(directory, { recursive: true }));
const path = join(directory, 'file');

async function collect(pieces: AsyncIterable<Buffer>): Promise<readonly string[]> {
  const all: string[] = [];
  for await (const piece of pieces) all.push(piece.toString('latin1'));
  return all;
}

describe('a file in pieces', () => {
  it('is whole, and no piece is large', async () => {
    const text = Array.from({ length: 20_000 }, (_, line) => `line ${line}\n`).join('');
    writeFileSync(path, text);
    const pieces = await collect(piecesOf(path, LONG_MS, systemClock));
    expect(pieces.join('')).toBe(text);
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(16_384);
  });

  it('lets the event loop turn between any two', async () => {
    writeFileSync(path, 'x'.repeat(1_000_000));
    const work = collect(piecesOf(path, LONG_MS, systemClock));
    expect(await turnsDuring(work)).toBeGreaterThanOrEqual((await work).length);
  });

  it('is over when its time is', async () => {
    writeFileSync(path, 'x'.repeat(100_000));
    const clock = new StoppedClock();
    const pieces = piecesOf(path, 100, clock);
    expect((await pieces.next()).done).toBe(false);
    clock.ms += 101;
    await expect(pieces.next()).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    expect((await pieces.next()).done).toBe(true);
  });

  it('that is not there says so', async () => {
    await expect(collect(piecesOf(join(directory, 'none'), LONG_MS, systemClock))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
