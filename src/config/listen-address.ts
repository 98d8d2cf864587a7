/** Where the HTTP server listens. `loopback`: only callers on this host can reach it. */
export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string | null; readonly port: number; readonly loopback: boolean }
  | { readonly kind: 'unix'; readonly path: string; readonly loopback: true };

/** sun_path holds 108 bytes with the final NUL, unix(7); Node cuts a longer path silently and listens somewhere else. */
const SOCKET_PATH_BYTES = 107;
const TCP = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/;
const HOST_NAME = /^(?=.{1,253}$)[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*$/;
const IPV4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/**
 * `host:port`, `[::1]:port`, `:port`, `unix:/path`; undefined when it is none of these. Port 0 is any free one.
 * A `host` of null is every address of this host. Trap: Fastify takes a missing host for `localhost`.
 */
export function parseListenAddress(text: string): ListenAddress | undefined {
  if (text.startsWith('unix:')) return parseUnix(text.slice('unix:'.length));
  const [, ipv6, name, digits] = TCP.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) return undefined;
  if (ipv6 !== undefined) return tcp(ipv6, port, loopbackOfIpv6(ipv6));
  if (name === '') return tcp(null, port, false);
  return tcp(name, port, loopbackOfName(name));
}

function tcp(host: string | null, port: number, loopback: boolean | undefined): ListenAddress | undefined {
  return loopback === undefined ? undefined : { kind: 'tcp', host, port, loopback };
}

function parseUnix(path: string): ListenAddress | undefined {
  if (!/^\/\P{Cc}+$/u.test(path) || Buffer.byteLength(path) > SOCKET_PATH_BYTES) return undefined;
  return { kind: 'unix', path, loopback: true };
}

/** Undefined when it is no IPv6 address. The URL parser writes every spelling of an address in one way (RFC 5952). */
function loopbackOfIpv6(host: string): boolean | undefined {
  const [address, zone] = host.split('%', 2);
  if (zone !== undefined && !/^[\w.-]+$/.test(zone)) return undefined;
  if (!/^[0-9a-fA-F:.]+$/.test(address) || !URL.canParse(`http://[${address}]/`)) return undefined;
  const canonical = new URL(`http://[${address}]/`).hostname;
  return canonical === '[::1]' || /^\[::ffff:7f[0-9a-f]{2}:/.test(canonical);
}

/** A name may resolve to anything: only `localhost` is taken for this host. */
function loopbackOfName(host: string): boolean | undefined {
  if (/^[\d.]+$/.test(host)) {
    const bytes = IPV4.exec(host)?.slice(1).map(Number);
    return bytes?.every((byte) => byte <= 255) ? bytes[0] === 127 : undefined;
  }
  return HOST_NAME.test(host) ? host.toLowerCase() === 'localhost' : undefined;
}
