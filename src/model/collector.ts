import type { CompanionRole, InstanceRecord, InstanceState, Nic } from './instance.js';
import type { Metric } from './metric.js';
import type { Outcome } from './outcome.js';
import type { Part } from './parts.js';
import type { HeldProcess } from './process.js';

/**
 * When a collector has its turn. `sweep`: in every sweep. `slow`: once per slow interval, spread over the sweeps. `threads`: its own
 * interval, for what must be read thread by thread. `detached`: asynchronous, on its own timer, off the sweep.
 */
export type Tier = 'sweep' | 'slow' | 'threads' | 'detached';

export interface VmmWords {
  readonly dialogue: string | null;
  readonly version: string | null;
}

/** What a collector sees of an instance. `row` is its row in the instance table for as long as it is attached. */
export interface Subject {
  readonly row: number;
  readonly id: string;
  readonly name: string;
  /** Moves when something changed that is rendered into labels. */
  readonly version: number;
  readonly process: HeldProcess | null;
  readonly state: InstanceState;
  readonly record: InstanceRecord;
  /** NICs by merged knowledge of all sources; null where nobody knows. A new array when something changed. */
  readonly nics: readonly Nic[] | null;
  /** Kernel threads `vhost-<pid>` that work for this instance; theirs is CPU that the process does not show (before Linux 6.4). */
  readonly vhostThreads: readonly number[];
  /** Row in the sandbox table while it is attached; -1 for an instance that is no Kata sandbox. */
  readonly sandboxRow: number;
  /** The process in this role, held like the VMM's; null where there is none. For a VMM inside the shim the shim is `process` itself. */
  companion(role: CompanionRole): HeldProcess | null;
  /** What the VMM last said of itself; null where it said nothing or that is too long ago. Written by the collector that reads it. */
  vmmState: InstanceState | null;
  /** How its VMM is asked and what it calls itself; null where it said nothing. Written by the same collector. */
  vmmWords: VmmWords | null;
  /** Memory that the VMM says it gave the guest, bytes; null where it said nothing. Written by the collector that reads it. */
  vmmMemoryBytes: number | null;
  /** Whether there is evidence that the VM does not work although its process is there. Written by the collector that looks for it. */
  isDegraded: boolean;
  /** A collector saw that a device it was told of is not there: the next rescan looks at the descriptors again. */
  devicesChanged(): void;
}

/**
 * Reads one topic of one instance into its row. One file plus one line in collection/collectors.ts, which lists the class.
 *
 * `collect` never throws for what a host can do: a process that is gone, a file that may not be read, a text that does not parse are
 * outcomes. On any outcome but ok its cells must be empty; the runner sees to that for the declared metrics.
 */
export interface Collector {
  readonly about: CollectorAbout;
  /** Columns of the instance table. */
  readonly metrics: readonly Metric[];
  /** Columns of the interface table, for the one room that has rows of its own. */
  readonly interfaceMetrics?: readonly Metric[];
  /** Columns of the sandbox table, written at `subject.sandboxRow`; emptied by the runner like those of the instance table. */
  readonly sandboxMetrics?: readonly Metric[];
  /** Columns of the sandbox table that no outcome empties: they say how the reading went, not what was read. */
  readonly keptMetrics?: readonly Metric[];
  /** Columns of the table of a sandbox's interfaces. */
  readonly sandboxInterfaceMetrics?: readonly Metric[];
  /** Columns of tables of parts. Their rows are the collector's own: it makes them, and `clear` removes them. */
  readonly partMetrics?: Readonly<Partial<Record<Part, readonly Metric[]>>>;
  /** False for an instance that has nothing of what it reads: it then has no turn, no outcome and no series there. Missing: all concern it. */
  concerns?(subject: Subject): boolean;
  /** Empties or fills the cells of its metrics in the row. For the tier `detached` only says what is known so far. */
  collect(subject: Subject): Outcome;
  /** Once per sweep before the first `collect`: what many instances share. Each step may be followed by a pause of the sweep. */
  begin?(): Iterable<void>;
  /** For the tier `detached`: the work itself; its result is taken over by the next `collect`. */
  collectDetached?(subject: Subject): Promise<Outcome>;
  /** The instance is new or got another process. Between `begin` and `publish` of the tables. */
  attach?(subject: Subject): void;
  /** Its NICs, vhost threads, companions or what is known of its sandbox changed; the process is the same. */
  devices?(subject: Subject): void;
  /** The last outcome was not ok, or the instance does not concern it any more: the instance's rows in tables of parts go. */
  clear?(subject: Subject): void;
  /** The instance lost its process or its row. */
  detach?(subject: Subject): void;
}

/** Memory given to the VM, bytes: by its sources' word, or by the VMM's where they do not know. */
export const allocatedMemory = ({ record, vmmMemoryBytes }: Pick<Subject, 'record' | 'vmmMemoryBytes'>): number | undefined =>
  record.memoryBytes ?? vmmMemoryBytes ?? undefined;

/** Every metric of a collector, whatever table its column stands in. */
export const declaredMetrics = (collector: Collector): readonly Metric[] => [
  ...collector.metrics,
  ...(collector.interfaceMetrics ?? []),
  ...(collector.sandboxMetrics ?? []),
  ...(collector.keptMetrics ?? []),
  ...(collector.sandboxInterfaceMetrics ?? []),
  ...Object.values(collector.partMetrics ?? {}).flat(),
];

/** Whether it is about Kata sandboxes alone. */
export const isOfSandboxes = ({ sandboxMetrics, sandboxInterfaceMetrics }: Collector): boolean =>
  sandboxMetrics !== undefined || sandboxInterfaceMetrics !== undefined;

/** What must be known of a collector before it is made: flags, documents. */
export interface CollectorAbout {
  /** Also the name of the flag `--collector.<name>` and of the member of `collectors` in the stats document. */
  readonly name: string;
  readonly tier: Tier;
  /** Which kernel files it reads, and what that costs where it is not little. */
  readonly reads: string;
  readonly enabled: boolean;
  /** A zombie's file still holds the final totals: read once more for the closing sample. The others keep what they last read. */
  readonly closing?: true;
}

/** What a collector class is to THE LIST. */
export interface CollectorClass {
  readonly about: CollectorAbout;
  readonly name: string;
}
