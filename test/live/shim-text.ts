const BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

type Labels = Readonly<Record<string, string>>;

const line = (name: string, labels: Labels, value: number): string => {
  const pairs = Object.entries(labels).map(([label, word]) => `${label}="${word}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
};
const family = (name: string, type: string, lines: readonly string[]): string =>
  `# HELP ${name} As a shim has it.\n# TYPE ${name} ${type}\n${lines.join('')}`;

const items = (name: string, values: Readonly<Record<string, number>>, labels: Labels = {}): string =>
  family(
    name,
    'gauge',
    Object.entries(values).map(([item, value]) => line(name, { ...labels, item }, value)),
  );

/** Each action `count` times, half of them in each of the last two buckets that have a bound. */
function histogram(name: string, actions: readonly string[], count: number): string {
  const lines = actions.flatMap((action) => [
    ...BOUNDS.map((bound, i) => line(`${name}_bucket`, { action, le: String(bound) }, i < 8 ? 0 : i === 8 ? count / 2 : count)),
    line(`${name}_bucket`, { action, le: '+Inf' }, count),
    line(`${name}_sum`, { action }, 200 * count),
    line(`${name}_count`, { action }, count),
  ]);
  return family(name, 'histogram', lines);
}

const ACTIONS = ['create', 'start', 'state', 'wait'];
const AGENT_ACTIONS = ['grpc.CreateContainerRequest', 'grpc.GetMetricsRequest'];
const NETDEV = { recv_bytes: 1000, recv_drop: 1, recv_errs: 2, sent_bytes: 500, sent_drop: 3, sent_errs: 4 };

/** What a shim of the Go runtime answers, with families of each kind. @param times how often it was asked */
export function shimText(times: number): string {
  return [
    family('go_gc_duration_seconds', 'summary', [
      line('go_gc_duration_seconds', { quantile: '0.5' }, 3.7e-5),
      line('go_gc_duration_seconds_sum', {}, times / 1000),
      line('go_gc_duration_seconds_count', {}, times),
    ]),
    family('go_goroutines', 'gauge', [line('go_goroutines', {}, 27)]),
    items('kata_agent_proc_stat', { utime: 10, stime: 20 }),
    items('kata_agent_proc_status', { vmrss: 4096, vmsize: 8192 }),
    items('kata_guest_load', { load1: 0.25, load5: 0.5, load15: 0.75 }),
    items('kata_guest_meminfo', { mem_available: 3e8, mem_free: 2e8, mem_total: 5e8 }),
    items('kata_guest_netdev_stat', NETDEV, { interface: 'eth0' }),
    items('kata_guest_tasks', { cur: 1, max: 90 }),
    histogram('kata_shim_agent_rpc_durations_histogram_milliseconds', AGENT_ACTIONS, 2 * times),
    histogram('kata_shim_rpc_durations_histogram_milliseconds', ACTIONS, 2 * times),
    family('kata_shim_threads', 'gauge', [line('kata_shim_threads', {}, 14)]),
  ].join('');
}
