import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';

const MAX_CONNECTIONS = 10;
/** SERVER_FULL_ERROR_MESSAGE of micro-http, byte for byte. */
const FULL =
  'HTTP/1.1 503\r\nServer: Firecracker API\r\nConnection: close\r\nContent-Length: 40\r\n\r\n{ "error": "Too many open connections" }';
const NOT_BEFORE_BOOT = 'The requested operation is not supported before starting the microVM.';

export interface VmConfigJson {
  balloon: { amount_mib: number; deflate_on_oom: boolean; stats_polling_interval_s: number } | null;
  drives: Record<string, unknown>[];
  'machine-config': { vcpu_count: number; mem_size_mib: number };
  'memory-hotplug': { total_size_mib: number; block_size_mib: number; slot_size_mib: number } | null;
  [other: string]: unknown;
}

export const VM_CONFIG = readFileSync(new URL('../fixtures/firecracker/vm-config.json', import.meta.url), 'utf8').trim();

/** As micro-http writes an answer, response.rs: no reason phrase; what has no body has no length. */
function response(status: number, body?: unknown): string {
  const head = `HTTP/1.1 ${status} \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n`;
  if (body === undefined) return `${head}\r\n`;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return `${head}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

const fault = (message: string): string => response(400, { fault_message: message });

/** Firecracker's API over a real socket, answered by one thread: a request waits for those before it. GETs alone change nothing. */
export class FakeFirecracker {
  state: 'Not started' | 'Running' | 'Paused' = 'Running';
  version = '1.17.0';
  config: VmConfigJson = JSON.parse(VM_CONFIG);
  pluggedMib = 128;
  heldPages = 8192;
  statistics: Record<string, number> = { free_memory: 100_000_000, total_memory: 500_000_000, available_memory: 300_000_000 };
  /** Paths of all requests whose head came whole. */
  readonly requests: string[] = [];
  readonly heads: string[] = [];
  accepted = 0;
  /** Instead of the answer: what is written, or nothing at all. */
  instead: ((path: string, connection: Socket) => boolean) | null = null;
  private readonly open = new Set<Socket>();
  private readonly server: Server;

  private constructor(readonly path: string) {
    this.server = createServer((connection) => this.accept(connection));
  }

  static async listen(path: string): Promise<FakeFirecracker> {
    const fake = new FakeFirecracker(path);
    fake.server.listen(path);
    await once(fake.server, 'listening');
    return fake;
  }

  get connections(): number {
    return this.open.size;
  }

  /** The listening socket's own descriptor: a process that inherits it listens too. */
  get descriptor(): number {
    // Not part of Node's types: the handle of a server that listens has one.
    const { fd } = (this.server as unknown as { readonly _handle: { readonly fd: number } })._handle;
    return fd;
  }

  async close(): Promise<void> {
    for (const connection of this.open) connection.destroy();
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    await closed;
  }

  private accept(connection: Socket): void {
    this.accepted++;
    connection.on('error', () => undefined);
    if (this.open.size === MAX_CONNECTIONS) {
      connection.end(FULL);
      // Closed without a look at what was asked.
      connection.destroySoon();
      return;
    }
    this.open.add(connection);
    connection.on('close', () => this.open.delete(connection));
    let text = '';
    connection.on('data', (bytes) => {
      text += bytes.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        this.serve(text.slice(0, end), connection);
        text = text.slice(end + 4);
      }
    });
  }

  private serve(head: string, connection: Socket): void {
    const [method = '', path = ''] = head.split(' ');
    this.requests.push(path);
    this.heads.push(head);
    if (this.instead?.(path, connection)) return;
    connection.write(method === 'GET' ? this.get(path) : fault(`Empty ${method} request.`));
  }

  /** rpc_interface.rs */
  private get(path: string): string {
    const isBooted = this.state !== 'Not started';
    const { balloon } = this.config;
    switch (path) {
      case '/':
        return response(200, { id: 'anonymous-instance', state: this.state, vmm_version: this.version, app_name: 'Firecracker' });
      case '/version':
        return response(200, { firecracker_version: this.version });
      case '/machine-config':
        return response(200, this.config['machine-config']);
      case '/vm/config':
        return response(200, this.config);
      case '/balloon':
        if (balloon) return response(200, balloon);
        return fault(
          isBooted
            ? 'Internal VMM error: Failed perform action on device: Device not found'
            : 'Balloon config error: No balloon device found.',
        );
      case '/balloon/statistics':
        if (!isBooted) return fault(NOT_BEFORE_BOOT);
        if (!balloon) return fault('Internal VMM error: Failed perform action on device: Device not found');
        if (balloon.stats_polling_interval_s === 0) {
          return fault('Internal VMM error: Balloon: Received stats query when stats are disabled.');
        }
        return response(200, this.balloonStatistics(balloon.amount_mib));
      case '/hotplug/memory':
        if (!isBooted) return fault(NOT_BEFORE_BOOT);
        return this.hotplug();
      default:
        return fault(`Invalid request method and/or path: GET ${path.split('/')[1]}.`);
    }
  }

  private balloonStatistics(targetMib: number): Record<string, number> {
    return {
      target_pages: targetMib * 256,
      actual_pages: this.heldPages,
      target_mib: targetMib,
      actual_mib: Math.floor(this.heldPages / 256),
      ...this.statistics,
    };
  }

  private hotplug(): string {
    const hotplug = this.config['memory-hotplug'];
    if (!hotplug) return fault('Internal VMM error: Failed perform action on device: Device not found');
    const { block_size_mib, total_size_mib, slot_size_mib } = hotplug;
    return response(200, {
      ...{ block_size_mib, total_size_mib, slot_size_mib },
      ...{ plugged_size_mib: this.pluggedMib, requested_size_mib: this.pluggedMib },
    });
  }
}
