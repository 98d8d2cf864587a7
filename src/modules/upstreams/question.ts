import { X509Certificate } from 'node:crypto';
import { timeLeft, withDeadline } from '../../host/deadline.js';
import { HostError } from '../../host/host-error.js';
import { type HttpAnswer, httpGet } from '../../host/http-client.js';
import { httpsGet } from '../../host/https-client.js';
import { hostLook } from '../../host/look.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { millisecondsToSeconds } from '../../model/units.js';
import type { UpstreamSettings } from '../../model/upstream.js';
import type { UpstreamTarget } from '../../model/upstream-url.js';
import { type Cause, type Refusal, refusalByStatus, refusalOf } from './refusal.js';

const TOKEN_BYTES = 1 << 16;
const CA_BYTES = 1 << 20;
/** Of the characters that a header may have, those that a token can have. */
const TOKEN = /^[\x21-\x7e]+$/;
const NEWLINE = 10;
/** Chunks tell their end only as the last coding (RFC 9112, 6.3). */
const CHUNKED = /(?:^|,)[ \t]*chunked[ \t]*$/i;
const HEADERS = { accept: 'text/plain;version=0.0.4', 'accept-encoding': 'identity', 'user-agent': 'vmgauge' };

/** One question to an upstream, within its timeout from reading the token to the last byte. @returns the page, or why there is none */
export async function askUpstream(settings: UpstreamSettings, target: UpstreamTarget, signal: AbortSignal): Promise<Buffer | Refusal> {
  const left = timeLeft(performance.now() + settings.timeoutMs);
  const token = settings.tokenFile === '' ? '' : await fileOf('token_file', settings.tokenFile, TOKEN_BYTES, left());
  if (typeof token !== 'string') return token;
  const ca = settings.caFile === '' ? '' : await fileOf('ca_file', settings.caFile, CA_BYTES, left());
  if (typeof ca !== 'string') return ca;
  const limits = { deadlineMs: left(), bodyBytes: settings.maxBytes, signal };
  try {
    const answer = await get(settings, target, headersFor(settings, target, token), ca, limits);
    return refusalByStatus(answer.status, token !== '') ?? judge(answer);
  } catch (error) {
    return refusalOf(error);
  }
}

/** @param ca empty for the certificates of the runtime */
function get(
  settings: UpstreamSettings,
  target: UpstreamTarget,
  headers: Readonly<Record<string, string>>,
  ca: string,
  limits: Limits,
): Promise<HttpAnswer> {
  const { path } = target;
  if (target.kind === 'unix') return httpGet({ socketPath: target.socketPath }, path, headers, limits);
  const { host, port } = target;
  if (target.kind === 'http') return httpGet({ host, port }, path, headers, limits);
  const { serverName, certificateSha256: fingerprint, insecureSkipVerify: unchecked } = settings;
  const trust = { serverName: serverName === '' ? host : serverName, ca: ca === '' ? null : ca, fingerprint, unchecked };
  return httpsGet({ host, port }, trust, path, headers, limits);
}

type Limits = Parameters<typeof httpGet>[3];

function headersFor({ timeoutMs }: UpstreamSettings, target: UpstreamTarget, token: string): Readonly<Record<string, string>> {
  return {
    ...HEADERS,
    host: target.kind === 'unix' ? 'localhost' : authorityOf(target),
    'x-prometheus-scrape-timeout-seconds': String(millisecondsToSeconds(timeoutMs)),
    ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
  };
}

function authorityOf({ kind, host, port }: Exclude<UpstreamTarget, { kind: 'unix' }>): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return port === (kind === 'https' ? 443 : 80) ? name : `${name}:${port}`;
}

/** Read again each time: both are replaced while we run. */
async function fileOf(
  cause: Cause & ('token_file' | 'ca_file'),
  path: string,
  limitBytes: number,
  deadlineMs: number,
): Promise<string | Refusal> {
  const what = cause === 'token_file' ? 'token file' : 'CA file';
  try {
    const text = (await withDeadline(hostLook.text(path, limitBytes), deadlineMs, `reading the ${what}`)).trim();
    const isGood = cause === 'token_file' ? TOKEN.test(text) : isCertificate(text);
    // Without a token the question would be put without; without a certificate that can be read, the server's would be blamed.
    return isGood
      ? text
      : { outcome: Outcome.malformed, cause, why: `its ${what} holds no ${cause === 'token_file' ? 'token' : 'certificate'}` };
  } catch (error) {
    const outcome = outcomeOfErrno(error);
    const word = error instanceof Error && 'code' in error ? ` (${error.code})` : '';
    return { outcome: outcome === Outcome.ok ? Outcome.ioError : outcome, cause, why: `its ${what} cannot be read${word}` };
  }
}

/** Whether the first that stands there can be read: those before one that cannot are all that OpenSSL takes. */
function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

/** Of a status that is good. */
function judge({ headers, body }: HttpAnswer): Buffer | Refusal {
  const encoding = headers.get('content-encoding') ?? 'identity';
  if (encoding !== 'identity') return { outcome: Outcome.malformed, cause: 'page', why: 'it packs its answer, which nobody asked for' };
  const isWhole = headers.has('content-length') || CHUNKED.test(headers.get('transfer-encoding') ?? '');
  // One that ends with its connection, as those of Python do, may have been cut anywhere.
  if (!isWhole && body.at(-1) !== NEWLINE) throw new HostError('ECONNRESET', 'the last line has no end');
  return body;
}
