import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/*
 * The API server of Cloud Hypervisor as its source writes bytes (vmm/src/api/http, micro-http): one thread for everything, ten connections,
 * kept open until the client goes. Also a program of its own, without anything but Node: a process with the VMM's name that listens itself.
 */

const ROOT = '/api/v1/';
const MAX_CONNECTIONS = 10;
/** micro-http/src/server.rs: status without reason, another server's name, and sent before anything was asked. */
const FULL =
  'HTTP/1.1 503\r\nServer: Firecracker API\r\nConnection: close\r\nContent-Length: 40\r\n\r\n{ "error": "Too many open connections" }';

/** 2^64-1, which a number of JavaScript cannot be. */
export const NOTHING_YET = '18446744073709551615';
export const NO_AVERAGE_YET = 1_844_674_407_370_955;

const texts = (...chain: readonly string[]): string => JSON.stringify(chain);
export const ERRORS = {
  notCreated: texts('Error from API', 'The VM info is not available', 'VM is not created'),
  notRunning: texts('Error from API', 'The VM info is not available', 'VM is not running'),
  migrating: texts('Error from API', 'The VM info is not available', "VM is currently migrating and can't be modified"),
  notFound: texts('Not Found'),
  badRequest: texts('Bad Request'),
  guestIsLate: texts(
    'Error from API',
    'The virtio-balloon statistics are not available',
    'Error from device manager',
    'Timed out waiting for virtio-balloon statistics',
  ),
  notNegotiated: texts(
    'Error from API',
    'The virtio-balloon statistics are not available',
    'Error from device manager',
    'Failed to request virtio-balloon statistics',
    'Balloon statistics feature was not negotiated',
  ),
} as const;

export const PING = '{"build_version":"v54.0-12-gae44c2971","version":"54.0.0","pid":4242,"features":["kvm"]}';

/** A VM with two disks, one of them with limits, a NIC and a balloon of 128 MiB. Texts, because numbers beyond 2^53 are among them. */
export const INFO = JSON.stringify({
  config: {
    cpus: { boot_vcpus: 2, max_vcpus: 4, kvm_hyperv: false, max_phys_bits: 46, features: {}, nested: true },
    memory: {
      ...{ size: 1 << 30, mergeable: false, hotplug_method: 'Acpi', hotplug_size: null, hotplugged_size: null, shared: true },
      ...{ hugepages: false, hugepage_size: null, prefault: false, reserve: false, zones: null, thp: true },
    },
    payload: { kernel: '/var/lib/vmlinux', cmdline: 'console=hvc0' },
    rate_limit_groups: null,
    disks: [
      {
        ...{ id: '_disk0', pci_segment: 0, path: '/var/lib/root.raw', readonly: true, direct: false, num_queues: 1, queue_size: 128 },
        ...{ vhost_user: false, vhost_socket: null, rate_limit_group: null, rate_limiter_config: null, serial: null, image_type: 'Raw' },
      },
      {
        ...{ id: 'data', pci_segment: 0, path: '/var/lib/data.qcow2', readonly: false, direct: true, num_queues: 2, queue_size: 128 },
        ...{ vhost_user: false, vhost_socket: null, rate_limit_group: null, serial: 'd1', image_type: 'Qcow2' },
        rate_limiter_config: {
          bandwidth: { size: 1 << 20, one_time_burst: 0, refill_time: 100 },
          ops: { size: 500, one_time_burst: null, refill_time: 1000 },
        },
      },
    ],
    net: [{ id: '_net1', tap: 'tap0', mac: '02:00:00:00:00:07', num_queues: 2, queue_size: 256, fds: null }],
    rng: { src: '/dev/urandom', iommu: false },
    balloon: { size: 128 << 20, deflate_on_oom: false, free_page_reporting: false },
    serial: { file: null, mode: 'Off', iommu: false, socket: null },
    console: { file: null, mode: 'Null', iommu: false, socket: null },
    pvpanic: true,
    landlock_enable: false,
  },
  state: 'Running',
  memory_actual_size: (1 << 30) - (96 << 20),
  device_tree: { _disk0: { id: '_disk0', resources: [], parent: null, children: [], pci_bdf: '0000:00:01.0' } },
});

export const COUNTERS =
  '{"_disk0":{"read_bytes":4096000,"write_bytes":0,"read_ops":1000,"write_ops":0,' +
  '"read_latency_min":12,"read_latency_max":940,"read_latency_avg":57,' +
  `"write_latency_min":${NOTHING_YET},"write_latency_max":${NOTHING_YET},"write_latency_avg":${NO_AVERAGE_YET}},` +
  '"data":{"read_bytes":1,"write_bytes":2,"read_ops":3,"write_ops":4,' +
  '"read_latency_min":5,"read_latency_max":6,"read_latency_avg":7,"write_latency_min":8,"write_latency_max":9,"write_latency_avg":10},' +
  '"_net1":{"rx_bytes":111,"rx_frames":11,"tx_bytes":222,"tx_frames":22}}';

/** The example of cloud-hypervisor#8603. */
export const BALLOON_STATS =
  '{"balloon_actual":100663296,"stats":{"swap_in":0,"swap_out":0,"major_faults":369,"minor_faults":504067,"free_memory":1961717760,' +
  '"total_memory":2074480640,"available_memory":1902641152,"disk_caches":34332672,"hugetlb_allocations":0,"hugetlb_failures":0,' +
  '"oom_kills":1,"alloc_stalls":318,"async_scans":286834688,"direct_scans":153067520,"async_reclaims":83509248,"direct_reclaims":20037632}}';

/** A text is a body of status 200. `bytes` go out as they are, with nothing around them, and then nothing comes, or the end. */
export type Told =
  | string
  | { readonly status: number; readonly body: string }
  | { readonly bytes: readonly string[]; readonly closes?: true }
  | 'hang';

export type Endpoint = 'vmm.ping' | 'vm.info' | 'vm.counters' | 'vm.balloon-stats';

/** By endpoint; one that is not there is none of this version's. */
export type Answers = Partial<Record<Endpoint, Told>>;

export const RUNNING: Answers = { 'vmm.ping': PING, 'vm.info': INFO, 'vm.counters': COUNTERS };

export class FakeCloudHypervisor {
  /** What is asked from now on. */
  answers: Answers;
  readonly path: string;
  /** Connections that were taken, and those that found ten others. */
  accepted = 0;
  refused = 0;
  /** Heads of requests in the order they came. */
  readonly requests: string[] = [];
  /** The most connections, and the most questions not answered, at one time. */
  mostOpen = 0;
  mostPending = 0;
  private readonly server: Server;
  private readonly open = new Set<Socket>();
  private readonly waiting: (() => void)[] = [];
  private pending = 0;
  /** The one thread waits for the VMM: nobody is answered. */
  private isHeldUp = false;

  private constructor(path: string, answers: Answers) {
    this.path = path;
    this.answers = answers;
    this.server = createServer((connection) => this.accept(connection));
  }

  static async listen(path: string, answers: Answers = RUNNING): Promise<FakeCloudHypervisor> {
    const fake = new FakeCloudHypervisor(path, answers);
    rmSync(path, { force: true });
    fake.server.listen(path);
    await once(fake.server, 'listening');
    return fake;
  }

  get connections(): number {
    return this.open.size;
  }

  /** Endpoints in the order they were asked. */
  get asked(): string[] {
    return this.requests.map((head) => /^GET \/api\/v1\/(\S+) /.exec(head)?.[1] ?? head.split('\r\n')[0]);
  }

  /** What was held up goes on. */
  release(): void {
    this.isHeldUp = false;
    for (const answer of this.waiting.splice(0)) answer();
  }

  async close(): Promise<void> {
    for (const connection of this.open) connection.destroy();
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    await closed;
  }

  private accept(connection: Socket): void {
    connection.on('error', () => undefined);
    if (this.open.size === MAX_CONNECTIONS) {
      this.refused++;
      connection.end(FULL, () => connection.destroy());
      return;
    }
    this.accepted++;
    this.open.add(connection);
    this.mostOpen = Math.max(this.mostOpen, this.open.size);
    connection.on('close', () => this.open.delete(connection));
    let text = '';
    connection.on('data', (bytes) => {
      text += bytes.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        this.requests.push(head);
        this.pending++;
        this.mostPending = Math.max(this.mostPending, this.pending);
        if (this.isHeldUp) this.waiting.push(() => this.answer(connection, head));
        else this.answer(connection, head);
      }
    });
  }

  private answer(connection: Socket, head: string): void {
    if (this.isHeldUp) {
      this.waiting.push(() => this.answer(connection, head));
      return;
    }
    const told = this.told(head);
    if (told === 'hang') {
      this.isHeldUp = true;
      // Answered by what is told when it goes on.
      this.waiting.unshift(() => this.answer(connection, head));
      return;
    }
    this.pending--;
    if (connection.destroyed) return;
    if (typeof told === 'object' && 'bytes' in told) {
      for (const piece of told.bytes) connection.write(piece, 'latin1');
      if (told.closes) connection.end();
    } else if (typeof told === 'string') connection.write(response(200, told));
    else connection.write(response(told.status, told.body));
  }

  private told(head: string): Told {
    const [method, target] = head.split(' ');
    const endpoint = target.startsWith(ROOT) ? target.slice(ROOT.length) : '';
    if (method !== 'GET') return { status: 400, body: ERRORS.badRequest };
    // Of what was asked, what is known.
    const told = Object.hasOwn(this.answers, endpoint) ? this.answers[endpoint as Endpoint] : undefined;
    return told ?? { status: 404, body: ERRORS.notFound };
  }
}

/** micro-http/src/response.rs: a blank behind the status, never a reason, and always the word that the connection stays. */
export const response = (status: number, body: string): string =>
  `HTTP/1.1 ${status} \r\nServer: Cloud Hypervisor API\r\nConnection: keep-alive\r\n` +
  `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

/** One event as event_monitor/src/lib.rs writes it. */
export const event = (source: string, name: string, properties: Readonly<Record<string, string>> | null = null, secs = 1): string =>
  `${JSON.stringify({ timestamp: { secs, nanos: 5 }, source, event: name, properties }, null, 2)}\n\n`;

/** `<node> fake-cloud-hypervisor.ts --api-socket P [--event-monitor path=F]`; then a line of JSON a time: other answers; `ok` when they are in force. */
async function run(argv: readonly string[]): Promise<void> {
  const value = (name: string): string | undefined =>
    argv.includes(name) ? argv[argv.indexOf(name) + 1]?.replace(/^path=/, '') : undefined;
  const monitor = value('--event-monitor');
  if (monitor !== undefined) writeFileSync(monitor, event('vmm', 'starting') + event('vm', 'booting') + event('vm', 'booted'));
  const fake = await FakeCloudHypervisor.listen(value('--api-socket') ?? '');
  process.stdout.write('ready\n');
  for await (const line of createInterface(process.stdin)) {
    fake.answers = { ...fake.answers, ...JSON.parse(line) };
    if (!Object.values(fake.answers).includes('hang')) fake.release();
    process.stdout.write(`ok ${fake.accepted} ${fake.refused} ${fake.mostPending}\n`);
  }
  await fake.close();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await run(process.argv.slice(2));
