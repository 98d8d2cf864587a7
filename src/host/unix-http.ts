import { timeLeft } from './deadline.js';
import { type StrangersSocket, withHeldSocket } from './held-socket.js';
import { HostError } from './host-error.js';
import { type HttpAnswer, type HttpLimits, httpGet } from './http-client.js';

/** Chunks tell their end only as the last coding (RFC 9112, 6.3). */
const CHUNKED = /(?:^|,)[ \t]*chunked[ \t]*$/i;

/**
 * One GET over a unix socket that is held while it lasts.
 * @param limits the deadline covers the checks as well
 * @throws what `withHeldSocket` and `httpGet` throw; ENODATA for an answer whose end cannot be told
 */
export async function askSocket(socket: StrangersSocket, path: string, limits: HttpLimits): Promise<HttpAnswer> {
  const left = timeLeft(performance.now() + limits.deadlineMs);
  return withHeldSocket(socket, left, async (held) => {
    const answer = await httpGet({ socketPath: held.path }, path, { host: 'localhost' }, { ...limits, deadlineMs: left() });
    // An answer that ends with its connection may have been cut anywhere.
    if (!answer.headers.has('content-length') && !CHUNKED.test(answer.headers.get('transfer-encoding') ?? '')) {
      throw new HostError('ENODATA', 'neither content-length nor chunks');
    }
    return answer;
  });
}
