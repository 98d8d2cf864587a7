import type { HttpLimits } from '../../host/http-client.js';
import { askSocket } from '../../host/unix-http.js';
import type { Subject } from '../../model/collector.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { isAlive } from '../procfs/held-process.js';
import { ownerOf } from './askable.js';

const SOCKET = 'shim-monitor.sock';
const PATH = '/metrics';
const ROOT = 0;
const OK = 200;
const NOT_FOUND = 404;

/** One question to a shim that may be asked and is held. @param limits of all it may cost @returns what it answered, or why there is nothing. Never rejects */
export async function askShim(subject: Subject, shim: HeldProcess, limits: HttpLimits): Promise<Buffer | Outcome> {
  const { directory } = subject.record.sandbox ?? {};
  try {
    if (directory === undefined || !isAlive(shim)) return Outcome.gone;
    const owner = ownerOf(shim);
    const owners = owner === null ? [ROOT] : [ROOT, owner];
    const { status, body } = await askSocket({ directory, name: SOCKET, owners }, PATH, limits);
    if (status === OK) return body;
    return status === NOT_FOUND ? Outcome.unsupported : Outcome.ioError;
  } catch (error) {
    return isProtocolError(error) ? Outcome.malformed : outcomeOfErrno(error);
  }
}

/** llhttp's words for what is no HTTP, and ours for an answer without an end. */
function isProtocolError(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && (code.startsWith('HPE_') || code === 'ENODATA');
}
