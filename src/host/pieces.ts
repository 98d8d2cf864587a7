import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Clock } from './clock.js';
import { withDeadline } from './deadline.js';
import { HostError } from './host-error.js';

/** The kernel hands out about a page a call of most of its tables, whatever is asked for. */
const PIECE_BYTES = 16_384;

/**
 * A long kernel file in the pieces in which it comes, each read off the event loop, which has a turn between any two. A piece is to be
 * used up before the next is asked for: they share one buffer. Whoever stops early has nothing to close.
 * @param deadlineMs for all of it, what is done with the pieces included
 * @throws the system's errors; HostError ETIMEDOUT
 */
export async function* piecesOf(path: string, deadlineMs: number, clock: Clock): AsyncGenerator<Buffer, void> {
  const end = clock.monotonic() + deadlineMs;
  // O_NONBLOCK: opening a FIFO that nobody writes to would otherwise never return.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  try {
    for (;;) {
      const left = end - clock.monotonic();
      if (left <= 0) throw new HostError('ETIMEDOUT', `reading ${path} took longer than ${deadlineMs} ms`);
      const { bytesRead } = await withDeadline(file.read(buffer, 0, buffer.length, null), left, `reading ${path}`);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    // Not waited for: it comes after a read that hangs.
    file.close().catch(() => undefined);
  }
}
