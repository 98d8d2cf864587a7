import { withDeadline } from '../../host/deadline.js';
import type { Host } from '../../host/host.js';
import { Slicer } from '../../host/slicer.js';
import { ID_PATTERN, type InstanceRecord, type InstanceSource } from '../../model/instance.js';
import { Outcome } from '../../model/outcome.js';
import { ticksToMilliseconds } from '../../model/units.js';
import { hasEnded, holdProcess, isEnding, type ProcfsProcess } from '../procfs/held-process.js';
import { checkClaim } from './claims.js';
import { Instance } from './instance.js';
import { type MergedInstance, mergeSightings, type ProcessKey, type Sighting } from './merge.js';
import type { ProcSource } from './proc.source.js';
import { resolve } from './resolve.js';

const SOURCE_DEADLINE_MS = 10_000;
/** Ended instances kept for their closing sample, whatever the retention: a host that starts and ends VMs in a loop stays bounded. */
const MAX_ENDED = 1000;

/** How one source did in the last rescan. */
export interface SourceStatus {
  readonly name: string;
  ok: boolean;
  error: string | null;
  instances: number;
  /** Entries it passed over in the last rescan; null for a source that does not count them. */
  problems: number | null;
  lastSuccessMs: number | null;
}

/** What the next sweep has to do before it samples. */
export type Change =
  | { readonly kind: 'start'; readonly instance: Instance; readonly vhostThreads: readonly number[] }
  | { readonly kind: 'devices'; readonly instance: Instance; readonly vhostThreads: readonly number[] }
  | { readonly kind: 'remove'; readonly instance: Instance };

/**
 * All instances of this host, merged from all sources, by id. A rescan runs off the scrape path and leaves what must be done to rows and
 * descriptors as a list of changes for the next sweep.
 */
export class Registry {
  private readonly instances = new Map<string, Instance>();
  private readonly answers = new Map<string, readonly InstanceRecord[]>();
  readonly sources: SourceStatus[];
  private changes: Change[] = [];
  private running: Promise<void> | null = null;
  rescans = 0;
  lastRescanSeconds: number | null = null;
  claimsRefused = 0;

  constructor(
    private readonly host: Host,
    private readonly list: readonly InstanceSource[],
    private readonly discovery: ProcSource | null,
    private readonly retentionMs: () => number,
  ) {
    const taken = list.find(({ name }, index) => list.findIndex((other) => other.name === name) !== index);
    if (taken) throw new Error(`two sources are called ${taken.name}`);
    this.sources = list.map(({ name }) => ({ name, ok: false, error: null, instances: 0, problems: null, lastSuccessMs: null }));
  }

  all(): Iterable<Instance> {
    return this.instances.values();
  }

  get size(): number {
    return this.instances.size;
  }

  /** @throws ApiError not_found */
  get(id: string): Instance {
    return resolve(id, this.instances);
  }

  /** Whether the next sweep has more to do than to read. */
  get changed(): boolean {
    return this.changes.length > 0;
  }

  /** Takes the changes that wait, in order. */
  takeChanges(): Change[] {
    return this.changes.splice(0);
  }

  /** Asks all sources and merges; a second call while one runs joins it. */
  rescan(): Promise<void> {
    this.running ??= this.scan().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  /** A rescan that begins after this call: what the caller has just changed is in it. */
  async rescanAfresh(): Promise<void> {
    await this.running;
    return this.rescan();
  }

  /** The process is gone: what was last read of it stays readable for the retention. */
  ended(instance: Instance): void {
    instance.endedMs = this.host.clock.now();
  }

  private async scan(): Promise<void> {
    const started = this.host.clock.monotonic();
    const suspects = new Set<Instance>();
    const held = new Map([...this.instances.values()].flatMap(({ current }) => (current ? [[current.pid, current] as const] : [])));
    if (this.discovery) this.discovery.held = (pid) => held.get(pid);
    for (const instance of this.instances.values()) {
      if (!instance.devicesSuspect) continue;
      instance.devicesSuspect = false;
      suspects.add(instance);
      if (instance.process) this.discovery?.lookAgain(instance.process.pid);
    }
    // Host discovery first: other sources' claims are checked against it.
    for (const source of this.list) if (source === this.discovery) await this.ask(source);
    await Promise.all(this.list.filter((source) => source !== this.discovery).map((source) => this.ask(source)));
    await this.reconcile(
      mergeSightings(await this.sightings(), (id) => this.instances.has(id)),
      suspects,
    );
    this.rescans++;
    this.lastRescanSeconds = (this.host.clock.monotonic() - started) / 1000;
  }

  private async ask(source: InstanceSource): Promise<void> {
    const status = this.sources.find(({ name }) => name === source.name);
    if (!status) return;
    try {
      const records = await withDeadline(Promise.resolve(source.list()), SOURCE_DEADLINE_MS, `source ${source.name}`);
      this.answers.set(source.name, records);
      status.ok = source.stale !== true;
      status.error = status.ok ? null : 'its last good answer stays in force';
      status.instances = records.length;
      status.problems = source.problems?.size ?? null;
      if (status.ok) status.lastSuccessMs = this.host.clock.now();
    } catch (error) {
      status.ok = false;
      status.error = error instanceof Error ? error.message : String(error);
    }
  }

  private async sightings(): Promise<Sighting[]> {
    const slicer = new Slicer(this.host.clock);
    const sightings: Sighting[] = [];
    for (const { name } of this.list) {
      const own: Sighting[] = [];
      for (const record of this.answers.get(name) ?? []) {
        if (!ID_PATTERN.test(record.id)) continue;
        own.push({ source: name, record, process: await this.processOf(record, name) });
        const pause = slicer.pause();
        if (pause) await pause;
      }
      own.sort((a, b) => (a.process?.startTicks ?? Number.MAX_VALUE) - (b.process?.startTicks ?? Number.MAX_VALUE));
      sightings.push(...own);
    }
    return sightings;
  }

  private async processOf({ id, process: claim }: InstanceRecord, source: string): Promise<ProcessKey | null> {
    if (!claim) return null;
    if (source === this.discovery?.name && claim.startTicks !== undefined) return { pid: claim.pid, startTicks: claim.startTicks };
    const held = this.instances.get(id)?.current;
    if (held && held.pid === claim.pid && (claim.startTicks ?? held.startTicks) === held.startTicks) {
      return { pid: held.pid, startTicks: held.startTicks };
    }
    const verdict = await checkClaim(this.host, claim, {
      isVmm: (pid) => this.discovery === null || this.discovery.vmm(pid) !== undefined,
      unknown: (pid) => this.discovery?.wasRefused(pid) ?? true,
    });
    if ('process' in verdict) return verdict.process;
    this.claimsRefused++;
    return null;
  }

  private async reconcile(merged: readonly MergedInstance[], suspects: ReadonlySet<Instance>): Promise<void> {
    const slicer = new Slicer(this.host.clock);
    const seen = new Set<string>();
    for (const one of merged) {
      seen.add(one.id);
      this.reconcileOne(one, suspects);
      const pause = slicer.pause();
      if (pause) await pause;
    }
    this.forget(seen);
  }

  /** @param suspects told that a device is not where it was: looked for again even if all words about it are the same */
  private reconcileOne(merged: MergedInstance, suspects: ReadonlySet<Instance>): void {
    const known = this.instances.get(merged.id);
    const instance = known ?? new Instance(merged);
    const sandboxBefore = known && JSON.stringify(known.record.sandbox);
    const nicsBefore = JSON.stringify(instance.nics);
    instance.update(merged);
    if (!known) this.instances.set(merged.id, instance);
    if (!merged.process) {
      instance.companions.forget();
      return;
    }
    const vhostThreads = this.discovery?.vhostThreads(merged.process.pid) ?? [];
    const { current } = instance;
    if (current?.pid === merged.process.pid && current.startTicks === merged.process.startTicks) {
      const changed = nicsBefore !== JSON.stringify(instance.nics) || vhostThreads.join() !== instance.vhostThreads.join();
      const joined = sandboxBefore !== JSON.stringify(merged.record.sandbox);
      if (
        instance.companions.find(merged.record.companions, current, (key) => this.hold(key)) ||
        joined ||
        changed ||
        suspects.has(instance)
      )
        this.changes.push({ kind: 'devices', instance, vhostThreads });
      return;
    }
    const process = this.hold(merged.process);
    if (!process) return;
    instance.incoming?.close();
    instance.incoming = process;
    instance.companions.findAnew(merged.record.companions, process, (key) => this.hold(key));
    instance.startedMs = this.host.bootMs === null ? null : this.host.bootMs + ticksToMilliseconds(process.startTicks);
    this.changes.push({ kind: 'start', instance, vhostThreads });
  }

  /** null when the process ended, or its pid passed on, since it was seen. */
  private hold({ pid, startTicks }: ProcessKey): ProcfsProcess | null {
    try {
      const process = holdProcess(this.host, pid);
      if (process.startTicks === startTicks) return process;
      process.close();
    } catch {
      // Gone, or no descriptors left: the next rescan tries again.
    }
    return null;
  }

  private forget(seen: ReadonlySet<string>): void {
    const now = this.host.clock.now();
    const ended = [...this.instances.values()]
      .filter((instance) => instance.endedMs !== null && !seen.has(instance.id))
      .sort((a, b) => (a.endedMs ?? now) - (b.endedMs ?? now));
    const excess = new Set(ended.slice(0, Math.max(0, ended.length - MAX_ENDED)));
    for (const instance of this.instances.values()) {
      if (seen.has(instance.id)) continue;
      const expired = instance.endedMs === null ? !isVanishing(instance) : now - instance.endedMs >= this.retentionMs();
      instance.listed = false;
      if (!expired && !excess.has(instance)) continue;
      this.instances.delete(instance.id);
      this.changes.push({ kind: 'remove', instance });
    }
  }
}

/** Its process is ending and the next sweep will take the closing sample; a live process that no source names any more is just dropped. */
function isVanishing({ current: process }: Instance): boolean {
  if (!process) return false;
  return process.readStat() !== Outcome.ok || hasEnded(process.stateCode) || isEnding(process);
}
