import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Belongings } from './belongings.js';
import { Child, type ChildOptions } from './child.js';
import { eventually, Hopeless } from './eventually.js';

export const QEMU = '/usr/bin/qemu-system-x86_64';

/** A machine without devices that never runs: 46 ms and 25 MiB, but a whole QEMU. */
export const IDLE_MACHINE: readonly string[] = ['-accel', 'kvm', '-S', '-nodefaults', '-display', 'none'];

export interface QemuOptions extends ChildOptions {
  /** Words before the program. */
  readonly through?: readonly string[];
  /** Resolves only when this monitor socket is there, which QEMU makes when its devices are. */
  readonly socket?: string;
}

export async function startQemu(belongings: Belongings, argv: readonly string[], options: QemuOptions = {}): Promise<Child> {
  const { through = [], socket, ...childOptions } = options;
  const child = await Child.start([...through, QEMU, ...argv], childOptions);
  belongings.own(() => child.kill());
  if (socket !== undefined) {
    await eventually(`the monitor of ${argv.join(' ')}`, () => {
      if (child.ended) throw new Hopeless(`QEMU ended: ${child.complaints}`);
      return existsSync(socket);
    });
  }
  return child;
}

/** An idle QEMU with an id of its own. */
export async function startIdleQemu(
  belongings: Belongings,
  extra: readonly string[] = [],
  options: QemuOptions = {},
): Promise<{ child: Child; uuid: string }> {
  const uuid = randomUUID();
  const child = await startQemu(belongings, [...IDLE_MACHINE, '-uuid', uuid, '-m', '64', ...extra], options);
  return { child, uuid };
}
