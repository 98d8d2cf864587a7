import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { UpstreamSettings } from '../src/model/upstream.js';
import type { Certificate } from './certificates.js';

/** An exporter that says what the test wants. */
export class UpstreamServer {
  readonly asked: IncomingMessage[] = [];
  text: string;
  /** Whom it answers; none asks for none. */
  token: string | undefined;

  private constructor(
    private readonly server: Server,
    text: string,
    readonly url: string,
  ) {
    this.text = text;
    server.on('request', (request: IncomingMessage, response) => {
      this.asked.push(request);
      const isKnown = this.token === undefined || request.headers.authorization === `Bearer ${this.token}`;
      response.writeHead(isKnown ? 200 : 401, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
      response.end(isKnown ? this.text : '');
    });
  }

  /** On a port of its own; over TLS with a certificate. */
  static async start(text: string, certificate?: Certificate): Promise<UpstreamServer> {
    const server = certificate ? createTlsServer({ cert: certificate.cert, key: certificate.key }) : createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return new UpstreamServer(server, text, `${certificate ? 'https' : 'http'}://127.0.0.1:${address.port}/metrics`);
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }
}

/** An upstream as a configuration without more than its URL has it. */
export const upstreamAt = (name: string, url: string, more: Partial<UpstreamSettings> = {}): UpstreamSettings => ({
  name,
  url,
  tokenFile: '',
  caFile: '',
  certificateSha256: '',
  serverName: '',
  insecureSkipVerify: false,
  labels: new Map(),
  allow: [],
  deny: [],
  intervalMs: 3_600_000,
  timeoutMs: 60_000,
  maxBytes: 16 << 20,
  maxSeries: 50_000,
  ...more,
});
