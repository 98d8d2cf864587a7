import { randomUUID } from 'node:crypto';
import { accessSync, constants, readFileSync } from 'node:fs';
import { Child, keep, runWell } from './child.js';
import type { Cleanup } from './cleanup.js';

/** Emulation where KVM is not for us: Debian's QEMU is found by its path as well. */
const ACCELERATOR = usable('/dev/kvm') ? 'kvm' : 'tcg';
const MEMORY_MIB = 64;

export interface VmOptions {
  readonly name?: string;
  readonly vcpus?: number;
  /** Network namespace in which QEMU makes its tap. Without one the VM has no NIC. */
  readonly namespace?: string;
}

export interface Vm {
  readonly id: string;
  readonly name: string;
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat. */
  readonly startTicks: number;
  readonly vcpus: number;
  readonly memoryBytes: number;
  stop(): Promise<void>;
}

/** A QEMU whose guest never starts: all of its host side is there. */
export async function startVm(cleanup: Cleanup, { name, vcpus = 1, namespace }: VmOptions = {}): Promise<Vm> {
  const id = randomUUID();
  const guest = name ?? `live-${id.slice(0, 8)}`;
  const nic =
    namespace === undefined ? [] : ['-netdev', 'tap,id=n0,ifname=live0,script=no,downscript=no', '-device', 'virtio-net-pci,netdev=n0'];
  const qemu = ['qemu-system-x86_64', '-accel', ACCELERATOR, '-S', '-nodefaults', '-display', 'none', '-m', String(MEMORY_MIB)];
  const words = [...qemu, '-smp', String(vcpus), '-uuid', id, '-name', `guest=${guest}`, '-qmp', 'stdio', ...nic];
  const [command, ...args] = namespace === undefined ? words : ['ip', 'netns', 'exec', namespace, ...words];
  const child = keep(cleanup, new Child(command, args));
  // The greeting: all devices are made by then.
  await child.wrote('stdout', /"QMP"/);
  return {
    id,
    name: guest,
    pid: child.pid,
    startTicks: startTicksOf(child.pid),
    vcpus,
    memoryBytes: MEMORY_MIB * 2 ** 20,
    stop: () => child.stop(),
  };
}

/** An empty network namespace. */
export async function makeNamespace(cleanup: Cleanup): Promise<string> {
  const name = `vmgauge-live-${randomUUID().slice(0, 8)}`;
  await runWell('ip', ['netns', 'add', name]);
  cleanup.add(() => runWell('ip', ['netns', 'del', name]));
  return name;
}

export function startTicksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // comm may hold blanks and parentheses, proc_pid_stat(5); what follows the last one begins with field 3.
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[22 - 3]);
}

function usable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
