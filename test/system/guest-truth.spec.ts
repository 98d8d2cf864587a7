import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Belongings } from './belongings.js';
import { eventually } from './eventually.js';
import { MEMORY_MIB, VCPUS } from './guest.js';
import { describeWith } from './needs.js';
import { BAD_READ, BALLOON, DISK_BYTES, diskOf, NEEDS, ObservedGuest, WRITE_LIMIT } from './observed-guest.js';
import type { VmmStats } from './stats-document.js';

const MIB = 1 << 20;
const WRITTEN = 4 * MIB;
const READ = 3 * MIB;
const MEMORY_BYTES = MEMORY_MIB * MIB;
const BALLOONED = 72 * MIB;
/** What the guest uses once, so that the host has to give it. */
const FILLED = 48 * MIB;
const DATAGRAMS = 50;
/** A datagram of 1000 bytes in its frame. */
const FRAME = 1042;

// Agent: root. No KVM: what the guest does is what is compared.
describeWith('what QEMU says of a guest that works', NEEDS, () => {
  const belongings = new Belongings();
  let vm: ObservedGuest;

  beforeAll(async () => {
    vm = await ObservedGuest.boot(belongings);
  });
  afterAll(() => belongings.release());

  it('runs, and the agent came through its own door once', async () => {
    const now = await vm.stats();

    expect(now).toMatchObject({ state: 'running', vmm: { state: 'running', connections: 1, failures: 0 } });
    expect(now.vmm.version).toMatch(/^QEMU \d+\.\d+/);
    expect(now.allocated_vcpus).toBe(VCPUS);
    expect(reasons(now)).toEqual([]);
  });

  it('wrote and read on its disk what QEMU counts and what its own kernel counts', async () => {
    const before = await vm.blockStats('disk');
    await vm.guest.order(`dd if=/dev/zero of=/dev/vda bs=64k count=${WRITTEN >> 16} oflag=direct conv=fsync`);
    await vm.guest.order(`dd if=/dev/vda of=/dev/null bs=64k count=${READ >> 16} iflag=direct`);
    const said = await vm.blockStats('disk');
    const disk = diskOf(
      await vm.statsThat('the numbers of query-blockstats', (now) => diskOf(now, 'disk').reads === said.rd_operations),
      'disk',
    );

    expect(await vm.blockStats('disk')).toMatchObject(pick(said, ['wr_bytes', 'rd_bytes', 'flush_operations']));
    expect(said.wr_bytes - before.wr_bytes).toBe(WRITTEN);
    expect(said.rd_bytes - before.rd_bytes).toBe(READ);
    expect(said.flush_operations).toBeGreaterThan(before.flush_operations);
    expect(disk).toMatchObject({
      written_bytes: said.wr_bytes,
      writes: said.wr_operations,
      read_bytes: said.rd_bytes,
      reads: said.rd_operations,
      flushes: said.flush_operations,
      failed_reads: 0,
      failed_writes: 0,
      capacity_bytes: DISK_BYTES,
      limit_write_bytes_per_second: WRITE_LIMIT,
      limit_read_bytes_per_second: null,
    });
    expect(disk.write_seconds).toBeCloseTo(said.wr_total_time_ns / 1e9, 6);
    expect(disk.flush_seconds).toBeCloseTo(said.flush_total_time_ns / 1e9, 6);
    // Of the guest's kernel, Documentation/block/stat.rst: sectors of 512 bytes read and written are the third and the seventh number.
    const [, , sectorsRead, , , , sectorsWritten] = (await vm.guest.order('cat /sys/block/vda/stat')).trim().split(/ +/).map(Number);
    expect(disk.written_bytes).toBe(sectorsWritten * 512);
    expect(Number(disk.read_bytes)).toBeGreaterThanOrEqual(sectorsRead * 512);
    expect(await vm.agent.sample(`vmgauge_vm_disk_written_bytes_total{${vm.labels},device="${disk.device}"}`)).toBe(said.wr_bytes);
  });

  it('has errors of a disk counted as the guest met them', async () => {
    const printed = await vm.guest.order(`dd if=/dev/vdb of=/dev/null bs=512 skip=${BAD_READ} count=1 iflag=direct 2>&1`);
    expect(printed).toContain('error');
    const said = await vm.blockStats('bad');
    const now = await vm.statsThat('the failed read', (one) => diskOf(one, 'bad').failed_reads === said.failed_rd_operations);

    expect(said.failed_rd_operations).toBeGreaterThan(0);
    expect(diskOf(now, 'disk').failed_reads).toBe(0);
    expect(now.events.block_io_error).toBe(vm.heard('BLOCK_IO_ERROR'));
    expect(now.state).toBe('running');
  });

  it('has each vCPU’s time apart: one that works is not the other, and together they are not more than the VMM', async () => {
    const before = await vm.stats();
    await vm.guest.order('taskset 2 sh -c "i=0; while [ \\$i -lt 60000 ]; do i=\\$((i+1)); done"');
    const threads = await vm.guest.monitor.execute<{ 'cpu-index': number; 'thread-id': number }[]>('query-cpus-fast');
    const now = await vm.statsThat(
      'the second vCPU’s work',
      (one) => seconds(one, 1) - seconds(before, 1) > 2 * (seconds(one, 0) - seconds(before, 0)),
    );
    const kernels = threads.toSorted((a, b) => a['cpu-index'] - b['cpu-index']).map((one) => schedstat(vm.guest.vmm.pid, one['thread-id']));

    expect(now.cpu.vcpus.map(({ index }) => index)).toEqual([0, 1]);
    expect(seconds(now, 0)).toBeLessThanOrEqual(kernels[0]);
    expect(seconds(now, 1)).toBeLessThanOrEqual(kernels[1]);
    expect(seconds(now, 1)).toBeGreaterThan(0);
    // Ticks of the process are coarser than its threads' nanoseconds.
    expect(seconds(now, 0) + seconds(now, 1)).toBeLessThanOrEqual((now.cpu_seconds ?? 0) + 0.1);
  });

  it('received what the host sent to its tap', async () => {
    vm.namespace.raise(vm.tap, 1);
    await vm.guest.order('ip address replace 10.253.1.2/24 dev eth0');
    await eventually('an answer to ping', () =>
      vm.namespace.run('busybox', 'ping', '-c', '1', '-w', '5', '10.253.1.2').includes('1 packets received'),
    );
    const before = await vm.stats();
    vm.namespace.sendDatagrams(1, DATAGRAMS, 1000);
    const now = await vm.statsThat('what the host counts', (one) => one.network_rx_bytes === vm.namespace.counters(vm.tap).tx.bytes);

    const grown = (of: 'network_rx_bytes' | 'network_tx_bytes'): number => Number(now[of]) - Number(before[of]);
    // Nobody in the guest wants them: its kernel refuses a few, and each refusal costs the sender one.
    expect(grown('network_rx_bytes')).toBeGreaterThan((DATAGRAMS * FRAME) / 2);
    expect(grown('network_tx_bytes')).toBeLessThan((DATAGRAMS * FRAME) / 4);
  });

  it('has an old sample of its memory as long as nobody asks its driver, and the sample says how old it is', async () => {
    const polling = await vm.guest.monitor.execute<number>('qom-get', { path: BALLOON, property: 'guest-stats-polling-interval' });
    const sample = await vm.guestStats();
    const now = await vm.statsThat('an age', ({ memory }) => memory.guest.sample_age_seconds !== null);

    expect(polling).toBe(0);
    expect(now.memory.guest.total_bytes).toBe(sample.stats['stat-total-memory']);
    expect(now.memory.guest.available_bytes).toBe(sample.stats['stat-available-memory']);
    expect((await vm.guestStats())['last-update']).toBe(sample['last-update']);
  });

  it('has a fresh one where the operator lets the agent ask the driver for it', async () => {
    await vm.replaceAgent({ 'vmm.qmp-balloon-polling': 'true' });
    const old = (await vm.guestStats())['last-update'];
    const interval = await eventually('the interval set', () =>
      vm.guest.monitor
        .execute<number>('qom-get', { path: BALLOON, property: 'guest-stats-polling-interval' })
        .then((set) => set > 0 && set),
    );
    await eventually('a newer sample', async () => (await vm.guestStats())['last-update'] > old);
    const fresh = await vm.statsThat('a young sample', ({ memory }) => {
      const { sample_age_seconds: age } = memory.guest;
      return age !== null && age <= interval + 2;
    });

    expect(fresh.memory.guest.used_bytes).toBe(Number(fresh.memory.guest.total_bytes) - Number(fresh.memory.guest.available_bytes));
  });

  it('gives back memory to the balloon: QEMU, the guest and the host agree', async () => {
    // Memory that the guest used once is the host's until the balloon returns it.
    await vm.guest.order(`mkdir -p /tmp; mount -t tmpfs t /tmp; head -c ${FILLED} /dev/zero > /tmp/f; rm /tmp/f`);
    const before = await vm.statsThat('a sample of the whole guest', ({ memory }) => memory.balloon.actual_bytes === MEMORY_BYTES);
    await vm.guest.monitor.execute('balloon', { value: BALLOONED });
    const total = (one: VmmStats): number => Number(one.memory.guest.total_bytes);
    // The driver tells of the guest at its own pace: the first samples after the order may be of a balloon that still grows.
    const now = await vm.statsThat(
      'a sample of the smaller guest',
      (one) => one.memory.balloon.actual_bytes === BALLOONED && total(before) - total(one) >= MEMORY_BYTES - BALLOONED,
    );

    expect(total(before) - total(now)).toBe(MEMORY_BYTES - BALLOONED);
    expect(Number(before.memory_rss_bytes) - Number(now.memory_rss_bytes)).toBeGreaterThan((MEMORY_BYTES - BALLOONED) / 4);
    expect(now.allocated_memory_bytes).toBe(MEMORY_BYTES);
    expect(now.events.balloon_change).toBeGreaterThan(0);
    await vm.guest.monitor.execute('balloon', { value: MEMORY_BYTES });
    await vm.statsThat('the memory back', ({ memory }) => memory.balloon.actual_bytes === MEMORY_BYTES);
  });

  it('shows how far its migration is, that it was cancelled, and that it completed', async () => {
    await vm.guest.monitor.execute('migrate-set-parameters', { 'max-bandwidth': 8 * MIB });
    await vm.guest.monitor.execute('migrate', { uri: 'exec:cat>/dev/null' });
    const first = await vm.statsThat(
      'progress',
      ({ migration }) => migration.state === 'active' && Number(migration.transferred_bytes) > 0,
    );
    const second = await vm.statsThat(
      'more',
      ({ migration }) => Number(migration.transferred_bytes) > Number(first.migration.transferred_bytes),
    );
    await vm.guest.monitor.execute('migrate_cancel');
    const cancelled = await vm.statsThat('the end of it', ({ migration }) => migration.state === 'cancelled');
    await vm.guest.monitor.execute('migrate-set-parameters', { 'max-bandwidth': 8192 * MIB });
    await vm.guest.monitor.execute('migrate', { uri: 'exec:cat>/dev/null' });
    const completed = await vm.statsThat('completion', ({ migration }) => migration.state === 'completed');

    expect(second.migration.remaining_bytes).toBeLessThan(Number(first.migration.remaining_bytes));
    expect(second.migration.total_bytes).toBeGreaterThanOrEqual(MEMORY_BYTES);
    expect(second.migration.elapsed_seconds).toBeGreaterThan(Number(first.migration.elapsed_seconds));
    expect(cancelled.state).toBe('running');
    expect(completed).toMatchObject({ state: 'paused', vmm: { state: 'postmigrate' }, migration: { remaining_bytes: 0 } });
    expect(completed.migration.downtime_seconds).toBeGreaterThan(0);
    await vm.guest.monitor.execute('cont');
    await vm.statsThat('running', ({ state }) => state === 'running');
  });
});

/** Collectors that failed, or that this VM has no reason to be without. */
function reasons({ collectors }: VmmStats): string[] {
  return Object.entries(collectors).flatMap(([name, { outcome, reason }]) => (outcome === 'failed' ? [`${name} ${reason}`] : []));
}

/** CPU seconds of a vCPU's thread. */
function seconds({ cpu }: VmmStats, index: number): number {
  const one = cpu.vcpus.find((vcpu) => vcpu.index === index);
  if (!one) throw new Error(`no vCPU ${index} in ${JSON.stringify(cpu.vcpus)}`);
  return Number(one.seconds);
}

/** The first number of /proc/<pid>/task/<tid>/schedstat: nanoseconds on a CPU. */
const schedstat = (pid: number, tid: number): number =>
  Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'latin1').split(' ')[0]) / 1e9;

const pick = <T>(record: Readonly<Record<string, T>>, names: readonly string[]): Record<string, T> =>
  Object.fromEntries(names.map((name) => [name, record[name]]));
