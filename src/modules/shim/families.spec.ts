import { afterAll, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { House } from '../../../test/house.js';
import type { Exposure, Metric } from '../../model/metric.js';

const proc = new FakeProc();
const house = new House(proc.host());
afterAll(() => proc.close());

const IO_ITEMS = 'cancelledwritebytes rchar readbytes syscr syscw wchar writebytes';
const NETDEV_ITEMS =
  'recv_bytes recv_compressed recv_drop recv_errs recv_fifo recv_frame recv_multicast recv_packets ' +
  'sent_bytes sent_carrier sent_colls sent_compressed sent_drop sent_errs sent_fifo sent_packets';
const STAT_ITEMS = 'cstime cutime stime utime';
const STATUS_ITEMS =
  'hugetlbpages nonvoluntary_ctxt_switches rssanon rssfile rssshmem vmdata vmexe vmhwm vmlck vmlib vmpeak vmpin vmpmd vmpte vmrss ' +
  'vmsize vmstk vmswap voluntary_ctxt_switches';

/** Every row of Kata's own table of a shim's metrics but the two histograms: name, help, type, unit, values of `item`. */
const TABLE = [
  ['kata_shim_fds', 'Kata containerd shim v2 open FDs.', 'GAUGE', ''],
  ['kata_shim_io_stat', 'Kata containerd shim v2 process IO statistics.', 'GAUGE', '', IO_ITEMS],
  ['kata_shim_netdev', 'Kata containerd shim v2 network devices statistics.', 'GAUGE', '', NETDEV_ITEMS],
  ['kata_shim_pod_overhead_cpu', 'Kata Pod overhead for CPU resources(percent).', 'GAUGE', 'percent'],
  ['kata_shim_pod_overhead_memory_in_bytes', 'Kata Pod overhead for memory resources(bytes).', 'GAUGE', 'bytes'],
  ['kata_shim_proc_stat', 'Kata containerd shim v2 process statistics.', 'GAUGE', '', STAT_ITEMS],
  ['kata_shim_proc_status', 'Kata containerd shim v2 process status.', 'GAUGE', '', STATUS_ITEMS],
  ['kata_shim_process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.', 'COUNTER', 'seconds'],
  ['kata_shim_process_max_fds', 'Maximum number of open file descriptors.', 'GAUGE', ''],
  ['kata_shim_process_open_fds', 'Number of open file descriptors.', 'GAUGE', ''],
  ['kata_shim_process_resident_memory_bytes', 'Resident memory size in bytes.', 'GAUGE', 'bytes'],
  ['kata_shim_process_start_time_seconds', 'Start time of the process since `unix` epoch in seconds.', 'GAUGE', 'seconds'],
  ['kata_shim_process_virtual_memory_bytes', 'Virtual memory size in bytes.', 'GAUGE', 'bytes'],
  ['kata_shim_process_virtual_memory_max_bytes', 'Maximum amount of virtual memory available in bytes.', 'GAUGE', 'bytes'],
  ['kata_shim_threads', 'Kata containerd shim v2 process threads.', 'GAUGE', ''],
] as const;

/** What Kata's Go runtime says of VMM and virtiofsd: the same items. */
const OTHERS = (['hypervisor', 'virtiofsd'] as const).flatMap((role) =>
  [
    ['threads', ''],
    ['fds', ''],
    ['proc_stat', STAT_ITEMS],
    ['proc_status', STATUS_ITEMS],
    ['io_stat', IO_ITEMS],
    ...(role === 'hypervisor' ? [['netdev', NETDEV_ITEMS]] : []),
  ].map(([word, items]) => [`kata_${role}_${word}`, items] as const),
);

const { sandboxes, sandboxInterfaces } = house.tables;
const exposures: readonly (readonly [Metric, Exposure])[] = [...sandboxes.columns, ...sandboxInterfaces.columns].flatMap(({ metric }) =>
  metric.families.map((exposure) => [metric, exposure] as const),
);
const of = (name: string) => exposures.filter(([, { family }]) => family.name === name);
const items = (name: string): string =>
  of(name)
    .map(([, { labels }]) => labels?.item ?? '')
    .sort()
    .join(' ');

describe('families of Kata', () => {
  it.each(TABLE)('%s is as Kata’s table has it', (name, help, type, unit, expected = '') => {
    const found = of(name);
    expect(found.length).toBeGreaterThan(0);
    for (const [, { family, labels = {} }] of found) {
      expect([family.help, family.type, family.unit ?? '']).toEqual([help, type.toLowerCase(), unit === 'percent' ? '' : unit]);
      expect(family.identity).toBe(name === 'kata_shim_netdev' ? 'sandbox_interface' : 'sandbox');
      expect(Object.keys(labels)).toEqual(expected === '' ? [] : ['item']);
    }
    expect(items(name)).toBe(expected);
  });

  it.each(OTHERS)('%s has the same items, is a gauge and has a line of help', (name, expected) => {
    expect(items(name)).toBe(expected);
    for (const [, { family }] of of(name)) {
      expect(family.type).toBe('gauge');
      expect(family.help).toMatch(/^[A-Z].*\.$/);
      expect(family.identity).toBe(name === 'kata_hypervisor_netdev' ? 'sandbox_vmm_interface' : 'sandbox');
    }
  });

  it('are all in these tables', () => {
    const known = new Set<string>([...TABLE, ...OTHERS].map(([name]) => name));
    const declared = new Set(exposures.map(([, { family }]) => family.name).filter((name) => name.startsWith('kata_')));
    expect(declared).toEqual(known);
  });

  it.each(['shim', 'hypervisor', 'virtiofsd'])('kata_%s_proc_stat is in clock ticks, the document in seconds', (role) => {
    for (const [metric, { decimals }] of of(`kata_${role}_proc_stat`)) {
      expect([decimals, metric.decimals]).toEqual([0, 2]);
      expect(metric.json).toMatch(/_seconds$/);
    }
  });

  it.each(['shim', 'hypervisor', 'virtiofsd'])(
    'kata_%s_proc_status is in bytes, which may be turned into KiB, but for the two counts',
    (role) => {
      for (const [metric, { labels, kib, decimals }] of of(`kata_${role}_proc_status`)) {
        const isCount = labels?.item?.endsWith('_ctxt_switches') ?? false;
        expect([kib ?? false, metric.json.endsWith('_bytes'), decimals ?? metric.decimals]).toEqual([!isCount, !isCount, 0]);
      }
    },
  );

  it('of io and interfaces are in bytes and counts as the kernel has them', () => {
    for (const [metric, { family, decimals, kib }] of exposures)
      if (/_(io_stat|netdev)$/.test(family.name)) expect([decimals ?? metric.decimals, kib]).toEqual([0, undefined]);
  });
});

describe('families of our own', () => {
  const own = exposures.map(([, { family }]) => family).filter(({ name }) => !name.startsWith('kata_'));

  it('are counters with a unit where they count seconds or bytes', () => {
    expect(own.length).toBeGreaterThan(10);
    for (const { name, type, unit } of own) {
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      expect(unit, name).toBe(/_(seconds|bytes)(_total)?$/.exec(name)?.[1]);
    }
  });

  it('of the overhead are by component, and a VMM’s own CPU stands under vmgauge_vm_*', () => {
    const components = of('vmgauge_sandbox_overhead_cpu_seconds_total').map(([, { labels }]) => labels?.component);
    expect(components).toEqual(['shim', 'vmm', 'virtiofsd']);
    expect(own.some(({ name }) => /^vmgauge_(hypervisor|vmm)/.test(name))).toBe(false);
  });
});
