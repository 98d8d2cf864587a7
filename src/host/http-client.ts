import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import type { Socket } from 'node:net';
import { HostError } from './host-error.js';

/** Where a server listens. */
export type HttpTarget = { readonly host: string; readonly port: number } | { readonly socketPath: string };

/** A connection that is open already; the question takes it over. */
export interface OpenConnection {
  readonly connection: Socket;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case; of a header that stands more than once, the first. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** All a question may cost. */
export interface HttpLimits {
  /** From now to the last byte, name lookup and connecting included. */
  readonly deadlineMs: number;
  readonly bodyBytes: number;
  /** Ends it at once, with ABORT_ERR. */
  readonly signal?: AbortSignal;
}

/**
 * One GET over a connection of its own; no redirect is followed, nothing is unpacked.
 * @throws the system's errors of the connection (ECONNREFUSED, ENOENT, EACCES …); ECONNRESET for an answer that is cut; HPE_… for what is no
 * HTTP; ETIMEDOUT and EFBIG beyond the limits; ABORT_ERR
 */
export function httpGet(
  target: HttpTarget | OpenConnection,
  path: string,
  headers: Readonly<Record<string, string>>,
  { deadlineMs, bodyBytes, signal }: HttpLimits,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...optionsOf(target), path, headers, ...(signal && { signal }) });
    // `timeout` of `request` is one between bytes: a drop now and then would keep it waiting for ever.
    const timer = setTimeout(() => {
      reject(new HostError('ETIMEDOUT', `no whole answer within ${deadlineMs} ms`));
      asked.destroy();
    }, deadlineMs);
    let answered = false;
    asked.on('response', (response) => {
      answered = true;
      readBody(response, bodyBytes).then((body) => resolve(answerOf(response, body)), reject);
    });
    asked.on('error', reject);
    asked.on('close', () => {
      clearTimeout(timer);
      // An upgrade that nobody asked for ends without an error.
      if (!answered) reject(new HostError('ECONNRESET', 'closed without an answer'));
    });
    asked.end();
  });
}

/** `createConnection` is asked only where there is no agent. */
const optionsOf = (target: HttpTarget | OpenConnection): RequestOptions =>
  'connection' in target ? { createConnection: () => target.connection } : { ...target, agent: false };

/** Of a length that is told: into one buffer, which is memory only as far as it is written. A list of chunks and its sum are twice that. */
async function readBody(response: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const length = Number(response.headers['content-length'] ?? Number.NaN);
  const whole = length <= limitBytes ? Buffer.allocUnsafeSlow(length) : null;
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of response) {
    // Leaving the loop closes the connection.
    if (total + chunk.length > (whole?.length ?? limitBytes)) throw new HostError('EFBIG', `the answer is longer than ${limitBytes} bytes`);
    if (whole) whole.set(chunk, total);
    else chunks.push(chunk);
    total += chunk.length;
  }
  return whole ? whole.subarray(0, total) : Buffer.concat(chunks, total);
}

function answerOf({ statusCode, rawHeaders }: IncomingMessage, body: Buffer): HttpAnswer {
  const headers = new Map<string, string>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i].toLowerCase();
    if (!headers.has(name)) headers.set(name, rawHeaders[i + 1]);
  }
  return { status: statusCode ?? Number.NaN, headers, body };
}
