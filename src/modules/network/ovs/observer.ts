import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Host } from '../../../host/host.js';
import { Slicer } from '../../../host/slicer.js';
import type { Subject } from '../../../model/collector.js';
import { Outcome, outcomeWords } from '../../../model/outcome.js';
import { Settings } from '../../../model/settings.js';
import type { BridgeWatch } from './bridge-watch.js';
import type { OvsBridge } from './database.js';
import { type PlugBoard, PortOwners } from './port-owners.js';
import { switchNamespace } from './switch-namespace.js';
import { runPath } from './switch-socket.js';
import { SwitchWatch } from './switch-watch.js';

/** A bridge as the database has it now, and what it last answered. */
export interface SeenBridge {
  readonly directory: string;
  readonly bridge: OvsBridge;
  readonly watch: BridgeWatch;
}

const RUN = '/run/';
const NEVER_THERE: ReadonlySet<Outcome> = new Set([Outcome.ok, Outcome.busy, Outcome.notConfigured]);

/**
 * All switches of this host: asked when the collector `ovs` has its turn, and known to whoever asks meanwhile. Every switch is asked at the same
 * time, each no longer than the deadline.
 */
@Injectable()
export class OvsObserver implements OnApplicationShutdown {
  readonly switches: readonly SwitchWatch[];
  readonly owners: PortOwners;
  /** Bridges of a name that another directory has already: their series would be the same. */
  doubles = 0;
  private readonly logger = new Logger('ovs');
  private readonly namespaces = new Map<SwitchWatch, string | null>();
  private readonly withoutRow = new Map<Subject, number>();
  private readonly told = new Map<SwitchWatch, Outcome>();

  constructor(
    private readonly host: Host,
    settings: Settings,
  ) {
    this.owners = new PortOwners(host);
    const tools = {
      ...{ intervalMs: settings.ovsIntervalMs, deadlineMs: settings.ovsDeadlineMs, hasMonitor: settings.ovsFlowMonitor },
      now: () => host.clock.monotonic(),
    };
    // The first spelling of each.
    const spelled = new Map(settings.ovsDirectories.toReversed().map((directory) => [runPath(directory), directory]));
    this.switches = [...spelled].reverse().map(([plain, directory]) => {
      const path = plain.startsWith(RUN) ? host.run(plain.slice(RUN.length)) : plain;
      return new SwitchWatch(directory, path, tools);
    });
  }

  /** Asks all of them once. Never rejects. */
  async poll(): Promise<void> {
    await Promise.all(this.switches.map((one) => this.pollOne(one)));
    const slicer = new Slicer(this.host.clock);
    for (const _ of this.update()) {
      const pause = slicer.pause();
      if (pause) await pause;
    }
  }

  /** Whose port each is, as things stand now. Stops so that the caller may pause. */
  update(): Iterable<void> {
    return this.owners.update(this.boards());
  }

  /** Every bridge once. */
  bridges(): readonly SeenBridge[] {
    return this.boards().flatMap(({ directory, watched }) => watched.map((one) => ({ directory, ...one })));
  }

  /** Why a switch that was there shows no ports: nobody knows its database any more. null where there is none such. */
  get silence(): Outcome | null {
    const silent = ({ database, outcome }: SwitchWatch): boolean => database === null && !NEVER_THERE.has(outcome);
    return this.switches.find(silent)?.outcome ?? null;
  }

  /** Ports of instances that got no row. */
  get droppedRows(): number {
    return [...this.withoutRow.values()].reduce((a, b) => a + b, 0);
  }

  /** @param count ports of this instance that got no row */
  droppedOf(subject: Subject, count: number): void {
    if (count > 0) this.withoutRow.set(subject, count);
    else this.withoutRow.delete(subject);
  }

  close(): void {
    for (const one of this.switches) one.close();
  }

  onApplicationShutdown(): void {
    this.close();
  }

  private async pollOne(one: SwitchWatch): Promise<void> {
    await one.poll();
    // A directory that is not there is looked for and nothing else.
    if (one.database) this.namespaces.set(one, await switchNamespace(this.host, one.path, this.namespaces.get(one) ?? null));
    this.tell(one);
  }

  private boards(): readonly PlugBoard[] {
    const names = new Set<string>();
    let doubles = 0;
    const boards = this.switches.map((one): PlugBoard => {
      const watched = one.watched.filter(({ bridge: { name } }) => !names.has(name));
      doubles += one.watched.length - watched.length;
      for (const { bridge } of watched) names.add(bridge.name);
      return { directory: one.directory, database: one.database, namespace: this.namespaces.get(one) ?? null, watched };
    });
    this.doubles = doubles;
    return boards;
  }

  /** Once per change, not once per poll. */
  private tell(one: SwitchWatch): void {
    const outcome = worst(one);
    const before = this.told.get(one) ?? Outcome.notConfigured;
    this.told.set(one, outcome);
    if (outcome === before) return;
    const { reason } = outcomeWords(outcome);
    if (outcome === Outcome.ok) this.logger.log(`Open vSwitch at ${one.directory}: answers`);
    else this.logger.warn(`Open vSwitch at ${one.directory}: ${reason}`);
  }
}

/** How a run directory stands: its database first, then any bridge that does not answer. */
export function worst({ outcome, bridges }: Pick<SwitchWatch, 'outcome' | 'bridges'>): Outcome {
  if (outcome !== Outcome.ok) return outcome;
  return [...bridges.values()].find((watch) => watch.outcome !== Outcome.ok)?.outcome ?? Outcome.ok;
}
