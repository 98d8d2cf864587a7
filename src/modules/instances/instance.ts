import type { Subject } from '../../model/collector.js';
import {
  type CompanionRole,
  type Hypervisor,
  type InstanceRecord,
  type InstanceState,
  NAME_LIMIT,
  type Nic,
} from '../../model/instance.js';
import { oneLine } from '../../model/labels.js';
import { isStoppedBySignal, type ProcfsProcess } from '../procfs/held-process.js';
import { Companions } from './companions.js';
import type { MergedInstance } from './merge.js';

/** One VM of this host for as long as it is known, over restarts of its VMM. */
export class Instance implements Subject {
  /** Row in the instance table; -1 while it has none. */
  row = -1;
  process: ProcfsProcess | null = null;
  /** Found by a rescan, to be taken over by the next sweep. */
  incoming: ProcfsProcess | null = null;
  readonly companions = new Companions((process) => process === this.process || process === this.incoming);
  vhostThreads: readonly number[] = [];
  sandboxRow = -1;
  /** Counts the VMM processes this instance has had; its counters start anew with each. */
  generation = 0;
  /** Milliseconds since 1970; null while unknown. */
  startedMs: number | null = null;
  /** The sweep that last sampled it; 0 before the first. */
  sequence = 0;
  sampledMs: number | null = null;
  /** Monotonic milliseconds when the sweep began that took over its present process: no rate looks back beyond. */
  attachedAt = 0;
  /** Milliseconds since 1970 when its process was found gone; null while it has one or never had. */
  endedMs: number | null = null;
  /** Moves when something changed that is rendered into labels. */
  version = 0;
  devicesSuspect = false;
  vmmState: InstanceState | null = null;
  vmmWords: Subject['vmmWords'] = null;
  isDegraded = false;
  vmmMemoryBytes: number | null = null;
  /** Whether some source named it in the last rescan. */
  listed = true;
  private merged: MergedInstance;

  constructor(merged: MergedInstance) {
    this.merged = merged;
  }

  get id(): string {
    return this.merged.id;
  }
  get sandboxId(): string | undefined {
    return this.merged.record.sandbox?.id;
  }
  get name(): string {
    return oneLine(this.merged.record.name ?? this.merged.id, NAME_LIMIT);
  }
  get record(): InstanceRecord {
    return this.merged.record;
  }
  get sources(): readonly string[] {
    return this.merged.sources;
  }
  get hypervisor(): Hypervisor {
    return this.merged.record.hypervisor ?? 'unknown';
  }
  get nics(): readonly Nic[] | null {
    return this.merged.record.nics ?? null;
  }

  get current(): ProcfsProcess | null {
    return this.incoming ?? this.process;
  }

  /**
   * What is seen of the process and what its VMM says, then a source's word where it knows more than that; a VMM without a process does not
   * run, whatever a source says.
   */
  get state(): InstanceState {
    const said = this.merged.record.state;
    const process = this.current;
    if (process) {
      if (isStoppedBySignal(process.stateCode)) return 'paused';
      if (this.isDegraded) return 'degraded';
      if (this.vmmState !== null) return this.vmmState;
      return said === undefined || said === 'unknown' || said === 'stopped' || said === 'standby' ? 'running' : said;
    }
    // While a source lists such a record, a live shim is behind it: its VMM is not there yet, or is gone from under it, or runs elsewhere.
    const { record } = this.merged;
    if (record.sandbox && !record.process && this.listed) return said === 'initializing' ? said : 'unknown';
    return said === 'standby' || (said === 'created' && this.endedMs === null) ? said : 'stopped';
  }

  companion(role: CompanionRole): ProcfsProcess | null {
    return this.companions.get(role);
  }

  update(merged: MergedInstance): void {
    if (JSON.stringify(labelWords(merged)) !== JSON.stringify(labelWords(this.merged))) this.version++;
    this.merged = merged;
    this.listed = true;
  }

  devicesChanged(): void {
    this.devicesSuspect = true;
  }
}

const labelWords = ({ record, sources }: MergedInstance): unknown => [
  record.name,
  record.hypervisor,
  record.uuid,
  record.sandbox?.pod,
  record.sandbox?.runtime,
  sources,
];
