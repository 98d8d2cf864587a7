import type { Host } from '../../host/host.js';
import type { HeldProcess } from '../../model/process.js';
import { ProcfsProcess } from '../procfs/held-process.js';

/**
 * Whose word on interfaces of the host counts. Whoever is root of a user namespace of its own may make a device of any name there, and leave it
 * behind: that the host has one of the same name says nothing then.
 */
export class HostUsers {
  private namespace: string | undefined;

  constructor(private readonly host: Host) {}

  /** Whether the process is in the host's user namespace. Yes where nothing can be asked, as in a recorded tree. */
  has(process: HeldProcess): boolean {
    this.namespace ??= ['1', 'self'].map((pid) => this.host.tryLink(this.host.proc(pid, 'ns', 'user'))).find((link) => link) ?? '';
    if (this.namespace === '' || !(process instanceof ProcfsProcess)) return true;
    try {
      return process.held.link('ns/user') === this.namespace;
    } catch {
      return false;
    }
  }
}
