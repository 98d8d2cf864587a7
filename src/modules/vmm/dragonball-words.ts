import { known } from '../../model/known.js';
import type { VmmEvents, VmmExits } from './answer.js';
import { countOf } from './json-fields.js';

/** Families of Dragonball, src/dragonball/src/hypervisor_metrics.rs of Kata. All are totals since it began, whatever their type on the wire. */
export const VCPU = 'kata_hypervisor_vcpu';
export const SECCOMP = 'kata_hypervisor_seccomp';
export const SIGNALS = 'kata_hypervisor_signals';

/** The shim's own labels come first, before those of the sandbox. */
const ITEM = /^[^{]*\{(?:cpu_id="[^"\\]*",)?item="([a-z_]+)"[\s\S]*\} (\S+)$/;

/** Sums by `item`, of all vCPUs: one that was removed keeps what it had, so a sum never falls. */
export function itemsIn(lines: Buffer | undefined): ReadonlyMap<string, number> {
  const items = new Map<string, number>();
  for (const line of lines?.toString('utf8').split('\n') ?? []) {
    const [, item = '', value = ''] = ITEM.exec(line) ?? [];
    const count = countOf(Number(value === '' ? Number.NaN : value));
    if (count === undefined) continue;
    const before = items.get(item);
    items.set(item, before === undefined ? count : before + count);
  }
  return items;
}

/** Exits that reached Dragonball's run loop, by direction. undefined where there are none of them. */
export function exitsOf(items: ReadonlyMap<string, number>): VmmExits | undefined {
  const exits = known<VmmExits>({
    ioIn: items.get('exit_io_in'),
    ioOut: items.get('exit_io_out'),
    mmioRead: items.get('exit_mmio_read'),
    mmioWrite: items.get('exit_mmio_write'),
    failures: items.get('failures'),
  });
  return Object.keys(exits).length > 0 ? exits : undefined;
}

/**
 * Faults and signals that were caught. 0 is not told: upstream prints it and installs none of the handlers that would count (no caller outside
 * its tests), so nobody listens.
 */
export function eventsOf(seccomp: ReadonlyMap<string, number>, signals: ReadonlyMap<string, number>): VmmEvents | undefined {
  const faults = seccomp.get('num_faults');
  const caught = [...signals.values()].reduce((sum, count) => sum + count, 0);
  const events = known<VmmEvents>({ 'seccomp-fault': faults || undefined, 'fatal-signal': caught || undefined });
  return Object.keys(events).length > 0 ? events : undefined;
}
