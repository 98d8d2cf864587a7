import { join } from 'node:path';
import { DEFAULT_ROOTS, type Host } from '../../host/host.js';
import type { HeldProcess } from '../../model/process.js';

/** Which sockets a program that we start may see, and of whom. */
export class SocketSight {
  constructor(private readonly host: Host) {}

  namespaceOf(process: HeldProcess): string | null {
    try {
      const file = process.open('net/dev');
      try {
        return file.identity();
      } finally {
        file.close();
      }
    } catch {
      return null;
    }
  }

  /** @throws ENOENT and others, where our own cannot be known */
  ownNamespace(): string {
    const file = this.host.holdFile(this.host.proc('self', 'net', 'dev'));
    try {
      return file.identity();
    } finally {
      file.close();
    }
  }

  /**
   * Whether pids below the root of procfs are those of our own, where ss looks them up. It could be told another place (PROC_ROOT), but then asks the kernel
   * for no socket any more, and knows of none what it moved.
   */
  seesProcessesAsItsChildren(): boolean {
    const own = this.host.tryLink(join(DEFAULT_ROOTS.proc, 'self'));
    return own !== undefined && own === this.host.tryLink(this.host.proc('self'));
  }

  /**
   * Rights that a file gave us do not pass to a program that we start, those of a unit (AmbientCapabilities) do, capabilities(7). Such a child sees sockets
   * but not whose they are, which would look like processes without any.
   */
  seesMoreThanItsChildren(): boolean {
    const status = this.host.tryReadText(this.host.proc('self', 'status'), 1 << 16) ?? '';
    const isRoot = /^Uid:\t\d+\t0\t/m.test(status);
    return !isRoot && mayLook(status, 'CapEff') && !mayLook(status, 'CapAmb');
  }
}

/** CAP_SYS_PTRACE, include/uapi/linux/capability.h. */
const SYS_PTRACE = 1n << 19n;
function mayLook(status: string, set: 'CapEff' | 'CapAmb'): boolean {
  const bits = new RegExp(`^${set}:\\t([0-9a-f]+)$`, 'm').exec(status)?.[1];
  return bits !== undefined && (BigInt(`0x${bits}`) & SYS_PTRACE) !== 0n;
}
