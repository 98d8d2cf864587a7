import { isIP } from 'node:net';
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls';
import { HostError } from './host-error.js';
import { type HttpAnswer, type HttpLimits, httpGet } from './http-client.js';

/** What the certificate of a server must be. */
export interface Trust {
  /** Name that it must have, and SNI; an address is no SNI (RFC 6066, 3). */
  readonly serverName: string;
  /** Certificates in PEM that may have signed it; null for those of the runtime. */
  readonly ca: string | null;
  /** SHA-256 of its DER in 64 small hex digits: this one, whatever its names, dates and signer are. Empty for none. */
  readonly fingerprint: string;
  /** Whatever it is. */
  readonly unchecked: boolean;
}

/** Code of an answer from a server whose certificate is not the one that was pinned. */
export const PIN_MISMATCH = 'ERR_TLS_PIN_MISMATCH';

/**
 * One GET over TLS, as `httpGet`. Nothing of the question, a token in its headers above all, is written before the certificate is found good.
 * @throws also what TLS finds wrong: CERT_HAS_EXPIRED, ERR_TLS_CERT_ALTNAME_INVALID, SELF_SIGNED_CERT_IN_CHAIN …, ERR_TLS_PIN_MISMATCH,
 * EPROTO and ERR_SSL_… of a server that does not speak it; ENOTFOUND, EAI_AGAIN of a name
 */
export async function httpsGet(
  server: { readonly host: string; readonly port: number },
  trust: Trust,
  path: string,
  headers: Readonly<Record<string, string>>,
  limits: HttpLimits,
): Promise<HttpAnswer> {
  const started = performance.now();
  const connection = await connectTls(server, trust, limits);
  const left = Math.max(1, limits.deadlineMs - (performance.now() - started));
  return httpGet({ connection }, path, headers, { ...limits, deadlineMs: left });
}

function connectTls(server: { host: string; port: number }, trust: Trust, { deadlineMs, signal }: HttpLimits): Promise<TLSSocket> {
  const { serverName, ca, fingerprint, unchecked } = trust;
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...server,
      ...(ca === null ? {} : { ca }),
      ...(isIP(serverName) ? {} : { servername: serverName }),
      checkServerIdentity: (_, certificate) => checkServerIdentity(serverName, certificate),
      rejectUnauthorized: fingerprint === '' && !unchecked,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
    });
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      socket.off('error', fail).off('close', closed);
    };
    const fail = (error: Error): void => {
      settle();
      // What it may still say reaches nobody.
      socket.on('error', () => undefined).destroy();
      reject(error);
    };
    const closed = (): void => fail(new HostError('ECONNRESET', 'closed before TLS was agreed on'));
    const abort = (): void => fail(new HostError('ABORT_ERR', 'told to end'));
    const timer = setTimeout(() => fail(new HostError('ETIMEDOUT', `no connection within ${deadlineMs} ms`)), deadlineMs);
    socket.on('error', fail).on('close', closed);
    signal?.addEventListener('abort', abort);
    if (signal?.aborted) abort();
    socket.once('secureConnect', () => {
      if (fingerprint !== '' && fingerprintOf(socket) !== fingerprint) {
        fail(new HostError(PIN_MISMATCH, 'another certificate than the one that was pinned'));
        return;
      }
      settle();
      // Whoever was checked stays who answers.
      socket.disableRenegotiation();
      resolve(socket);
    });
  });
}

const fingerprintOf = (socket: TLSSocket): string | undefined =>
  socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase();
