import type { HomeReport } from './home.report.js';
import { some } from './readable.js';

/** A VM that runs without a disk, a window or rights, on this kind of machine. Its firmware finds nothing to boot and waits. */
export function starterCommand(architecture: string = process.arch): string {
  const program = architecture === 'arm64' ? 'qemu-system-aarch64 -M virt' : 'qemu-system-x86_64';
  return `${program} -name demo -m 256 -display none`;
}

/** What somebody who misses an instance should know; empty when nothing stands in the way. */
export function advice({ processes, unreadable }: HomeReport): string[] {
  if (unreadable === 0) return [];
  return [
    `${unreadable.toLocaleString('en')} of ${some(processes, 'process', 'processes')} could not be looked into, and VMs may be among them: ` +
      'run the agent as root or with CAP_SYS_PTRACE.',
  ];
}
