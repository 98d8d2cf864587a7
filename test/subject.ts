import type { Subject } from '../src/model/collector.js';
import type { CompanionRole, InstanceRecord, InstanceState, Nic } from '../src/model/instance.js';
import type { HeldProcess } from '../src/model/process.js';

/** An instance as collectors see it, with its members open to the test. */
export class FakeSubject implements Subject {
  row = 0;
  version = 0;
  vhostThreads: readonly number[] = [];
  nics: readonly Nic[] | null = null;
  state = 'running' as const;
  devicesSuspect = 0;
  sandboxRow = -1;
  vmmState: InstanceState | null = null;
  vmmWords: Subject['vmmWords'] = null;
  isDegraded = false;
  vmmMemoryBytes: number | null = null;
  readonly companions = new Map<CompanionRole, HeldProcess>();

  constructor(
    public process: HeldProcess | null,
    readonly id = 'vm-1',
    readonly name = 'one',
    public record: InstanceRecord = { id },
  ) {}

  companion(role: CompanionRole): HeldProcess | null {
    return this.companions.get(role) ?? null;
  }

  devicesChanged(): void {
    this.devicesSuspect++;
  }
}
