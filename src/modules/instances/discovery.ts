import type { Host } from '../../host/host.js';
import type { HypervisorDriver } from '../hypervisor/driver.js';
import { ProcSource } from './proc.source.js';
import { ProcessExaminer } from './process-examiner.js';

/** Host discovery with what it looks by. One object, because other sources' claims are checked against what it saw. */
export class Discovery {
  readonly source: ProcSource;
  private readonly examiner: ProcessExaminer;

  constructor(host: Host, drivers: readonly HypervisorDriver[], executables: readonly string[]) {
    this.examiner = new ProcessExaminer(host, drivers, executables);
    this.source = new ProcSource(host, this.examiner);
  }

  /** Processes seen by the last pass. */
  get processes(): number {
    return this.source.scanned;
  }

  /** Of these, the ones we may not look at. */
  get unreadable(): number {
    return this.source.refused;
  }

  listExecutables(executables: readonly string[]): void {
    this.examiner.listExecutables(executables);
  }
}
