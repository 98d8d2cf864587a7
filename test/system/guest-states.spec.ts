import { afterAll, beforeAll, expect, it } from 'vitest';
import { Belongings } from './belongings.js';
import { eventually } from './eventually.js';
import { describeWith } from './needs.js';
import { BAD_WRITE, diskOf, NEEDS, ObservedGuest } from './observed-guest.js';

const WRITTEN = 1 << 20;
/**
 * Arms Intel's 6300ESB watchdog, as drivers/watchdog/i6300esb.c does: unlock and preload both stages, reload, enable by configuration
 * register 0x68. Debian's cloud kernel has no driver for it.
 */
const WATCHDOG = [
  'd=$(dirname $(grep -l 0x25ab /sys/bus/pci/devices/*/device))',
  'echo 1 > $d/enable',
  'read base rest < $d/resource',
  'unlock() { devmem $(($base + 12)) 16 0x80; devmem $(($base + 12)) 16 0x86; }',
  'unlock; devmem $base 32 0x40',
  'unlock; devmem $(($base + 4)) 32 0x40',
  'unlock; devmem $(($base + 12)) 16 0x100',
  'printf "\\002" | dd of=$d/config bs=1 seek=104 conv=notrunc 2>/dev/null',
].join('; ');

// Agent: root. No KVM: a guest that works, and stops doing so in all the ways that its VMM tells apart.
describeWith('what becomes of a guest', NEEDS, () => {
  const belongings = new Belongings();
  let vm: ObservedGuest;

  beforeAll(async () => {
    vm = await ObservedGuest.boot(belongings);
  });
  afterAll(() => belongings.release());

  it('is paused while it is stopped and runs again afterwards, both counted', async () => {
    const { events } = await vm.stats();
    await vm.guest.monitor.execute('stop');
    const paused = await vm.statsThat('paused', ({ state }) => state === 'paused');
    await vm.guest.monitor.execute('cont');
    const again = await vm.statsThat('running', ({ state }) => state === 'running');

    expect(paused.vmm.state).toBe('paused');
    expect(paused.degraded).toMatchObject({ is_degraded: 0 });
    expect(again.events.stop).toBe(Number(events.stop) + 1);
    expect(again.events.resume).toBe(Number(events.resume) + 1);
  });

  it('counts what resets the guest as QEMU tells it', async () => {
    const told = vm.heard('RESET');
    const { events, generation } = await vm.stats();
    await vm.guest.order(`dd if=/dev/zero of=/dev/vda bs=64k count=${WRITTEN >> 16} oflag=direct`);
    vm.guest.tell('reboot -f');
    await vm.guest.ready();
    const now = await vm.statsThat('the resets', (one) => Number(one.events.reset) - Number(events.reset) === vm.heard('RESET') - told);

    // The firmware resets the machine once more on its way.
    expect(now.events.reset).toBeGreaterThan(Number(events.reset));
    // It is the same VMM.
    expect(now).toMatchObject({ generation, state: 'running' });
    expect(diskOf(now, 'disk').written_bytes).toBeGreaterThanOrEqual(WRITTEN);
  });

  it('is degraded when its disk fails under it, and not any more when it goes on', async () => {
    vm.guest.tell(`dd if=/dev/zero of=/dev/vdb bs=512 seek=${BAD_WRITE} count=1 oflag=direct 2>/dev/null`);
    await vm.guest.status('io-error');
    const now = await vm.statsThat('degraded', ({ state }) => state === 'degraded');

    expect(now).toMatchObject({ vmm: { state: 'io-error' }, degraded: { is_degraded: 1, io_error: 1 } });
    // The request is repeated, and does not fail again.
    await vm.guest.monitor.execute('cont');
    await vm.guest.done();
    expect((await vm.statsThat('running', ({ state }) => state === 'running')).degraded).toMatchObject({ is_degraded: 0, io_error: 0 });
  });

  it('is degraded when its watchdog bites, which is counted', async () => {
    vm.guest.tell(WATCHDOG);
    await vm.guest.status('watchdog');
    const now = await vm.statsThat('degraded', ({ state }) => state === 'degraded');

    expect(now).toMatchObject({ vmm: { state: 'watchdog' }, degraded: { is_degraded: 1, watchdog: 1 }, events: { watchdog: 1 } });
    await vm.guest.monitor.execute('cont');
    await vm.guest.done();
    await vm.statsThat('running', ({ state }) => state === 'running');
  });

  it('is shut down, not stopped, when it powers off and its VMM stays, and runs again after a reset from outside', async () => {
    const told = vm.heard('RESET');
    const before = await vm.stats();
    vm.guest.tell('poweroff -f');
    await vm.guest.status('shutdown');
    const now = await vm.statsThat('shutdown', ({ state }) => state === 'shutdown');

    expect(now).toMatchObject({ vmm: { state: 'shutdown' }, degraded: { is_degraded: 0 }, events: { shutdown: vm.heard('SHUTDOWN') } });
    await vm.guest.monitor.execute('system_reset');
    await vm.guest.monitor.execute('cont');
    await vm.guest.ready();
    expect((await vm.statsThat('running', ({ state }) => state === 'running')).events.reset).toBe(
      Number(before.events.reset) + vm.heard('RESET') - told,
    );
  });

  it('is degraded when its kernel panics, which is counted', async () => {
    vm.guest.tell('echo c > /proc/sysrq-trigger');
    await vm.guest.status('guest-panicked');
    const now = await vm.statsThat('degraded', ({ state }) => state === 'degraded');

    expect(now).toMatchObject({ vmm: { state: 'guest-panicked' }, degraded: { is_degraded: 1, guest_panicked: 1 } });
    expect(now.events.guest_panicked).toBe(1);
    expect(await vm.agent.sample(`vmgauge_vm_degraded{${vm.labels}}`)).toBe(1);
  });

  it('ends when it is killed in the middle of scrapes, and no scrape suffers', async () => {
    const last = await vm.stats();
    const answers: number[] = [];
    let isOver = false;
    const scraping = (async () => {
      while (!isOver) answers.push((await vm.agent.ask('/metrics')).status, (await vm.agent.ask(`/instances/${vm.guest.id}/stats`)).status);
    })();
    await eventually('scrapes', () => answers.length > 4);
    await vm.guest.vmm.kill();
    const ended = await vm.statsThat('stopped', ({ state }) => state === 'stopped');
    isOver = true;
    await scraping;

    expect(new Set(answers)).toEqual(new Set([200]));
    expect(ended.cpu_seconds).toBeGreaterThanOrEqual(Number(last.cpu_seconds));
    // The closing sample has what the VMM last said too.
    expect(diskOf(ended, 'disk').written_bytes).toBe(diskOf(last, 'disk').written_bytes);
    expect(await vm.agent.read('/metrics')).not.toContain(`vmgauge_vm_disk_written_bytes_total{${vm.labels}`);
  });
});
