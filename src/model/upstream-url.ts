/** Where an upstream answers. */
export type UpstreamTarget =
  | { readonly kind: 'http' | 'https'; readonly host: string; readonly port: number; readonly path: string }
  | { readonly kind: 'unix'; readonly socketPath: string; readonly path: string };

const PORTS = { http: 80, https: 443 } as const;
/** sun_path without its NUL, unix(7). */
const SOCKET_PATH_BYTES = 107;
const SOCKET = /^unix:(\/(?!\/)[^:\p{Cc}]+)(?::(\/[^\s\p{Cc}#]*))?$/u;
/** What WHATWG's parser would mend in silence: white space, controls, backslashes. */
const UNFIT = /[\s\p{Cc}\\#]/u;

/**
 * `http://host:port/path?query`, `https://…` or `unix:/socket:/path`, where `/metrics` is the path of a socket without one. A host of IPv6 comes
 * without brackets.
 * @returns undefined for anything else: other schemes, credentials, fragments
 */
export function parseUpstreamUrl(text: string): UpstreamTarget | undefined {
  const [, socketPath, path = '/metrics'] = SOCKET.exec(text) ?? [];
  if (socketPath !== undefined) return byteLength(socketPath) > SOCKET_PATH_BYTES ? undefined : { kind: 'unix', socketPath, path };
  const kind = /^(https?):\/\/[^/]/.exec(text)?.[1];
  if ((kind !== 'http' && kind !== 'https') || UNFIT.test(text) || !URL.canParse(text)) return undefined;
  const { username, password, hostname, port, pathname, search } = new URL(text);
  if (username !== '' || password !== '' || hostname === '' || port === '0' || /^https?:\/\/[^/?]*@/.test(text)) return undefined;
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return { kind, host, port: port === '' ? PORTS[kind] : Number(port), path: pathname + search };
}

const byteLength = (text: string): number => new TextEncoder().encode(text).length;

/** Loopback addresses and the name that RFC 6761 (6.3) keeps for them; nothing is looked up. */
export const isLoopbackHost = (host: string): boolean =>
  /^(127\.\d+\.\d+\.\d+|::1|::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}|(.+\.)?localhost\.?)$/i.test(host);

/** A URL fit for a log or an error: what may be a secret is left out. */
export const shownUrl = (text: string): string => text.replace(/\/\/[^/]*@/, '//…@').replace(/\?.*$/s, '?…');
