import { parseListenAddress } from '../config/listen-address.js';
import type { HttpTarget } from '../host/http-client.js';

/** Where to reach an agent of this host that listens on an address. */
export interface AgentAddress {
  readonly target: HttpTarget;
  /** For messages: `127.0.0.1:10177`, `[::1]:10177`, `unix:/run/vmgauge.sock`. */
  readonly words: string;
}

/** @param listen as web.listen-address has it. @returns null for port 0, which is another one each time */
export function agentAddress(listen: string): AgentAddress | null {
  const address = parseListenAddress(listen);
  if (!address) return null;
  if (address.kind === 'unix') return { target: { socketPath: address.path }, words: listen };
  const { port } = address;
  if (port === 0) return null;
  const host = reachable(address.host);
  return { target: { host, port }, words: `${host.includes(':') ? `[${host}]` : host}:${port}` };
}

/** Who listens on every address is reached on the loopback. */
function reachable(host: string | null): string {
  if (host === null || host === '0.0.0.0') return '127.0.0.1';
  const everywhere = URL.canParse(`http://[${host}]/`) && new URL(`http://[${host}]/`).hostname === '[::]';
  return everywhere ? '::1' : host;
}
