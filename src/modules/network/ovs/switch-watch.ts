import { timeLeft } from '../../../host/deadline.js';
import { isDue } from '../../../host/pacing.js';
import { Outcome } from '../../../model/outcome.js';
import { BridgeWatch, KEPT_INTERVALS, type WatchTools } from './bridge-watch.js';
import type { OvsBridge, OvsDatabase } from './database.js';
import { OvsdbClient, type OvsdbLimits } from './ovsdb-client.js';
import { isNowhere, outcomeOfSwitch } from './switch-outcome.js';
import { isOnePathPart, withSwitchSocket } from './switch-socket.js';

const SOCKET = 'db.sock';
const MAX_BRIDGES = 64;
const LIMITS: Omit<OvsdbLimits, 'deadlineMs'> = { messageBytes: 8 << 20, budgetBytes: 32 << 20 };

/** One run directory of Open vSwitch: its database, and each bridge that the database names. */
export class SwitchWatch {
  /** Of the database, at the last poll; busy before the first, not_configured where there was never one. */
  outcome: Outcome = Outcome.busy;
  readonly bridges = new Map<string, BridgeWatch>();
  private client: OvsdbClient | null = null;
  private askedAt: number | null = null;
  /** When the database was last known to be what we have of it. */
  private provenAt = Number.NEGATIVE_INFINITY;
  private inRow = 0;
  private unwatched = 0;
  private wasThere = false;
  private isClosed = false;

  /** @param path where it is looked for @param directory as the configuration names it */
  constructor(
    readonly directory: string,
    readonly path: string,
    private readonly tools: WatchTools,
  ) {}

  /** What the database holds; null while it is not known, and once nobody has proven it for long: bridges and ports may be others by then. */
  get database(): OvsDatabase | null {
    const { client, tools } = this;
    return client && tools.now() - this.provenAt <= KEPT_INTERVALS * tools.intervalMs ? client.database() : null;
  }

  /** null where we may not ask. */
  get isDatabaseUp(): boolean | null {
    if (this.outcome === Outcome.notPermitted) return null;
    return this.outcome === Outcome.ok && this.client?.isOpen === true;
  }

  /** null where nothing tells: it has no bridge, or none that we know of. */
  get isSwitchUp(): boolean | null {
    // A bridge with which we have no language in common is one of a switch that works.
    const spoken = [...this.bridges.values()].filter(({ outcome }) => outcome !== Outcome.unsupported);
    const answers = spoken.map(({ isUp }) => isUp);
    if (answers.includes(true)) return true;
    return answers.includes(false) ? false : null;
  }

  /** Bridges that are watched, as the database tells of them now. */
  get watched(): readonly { readonly bridge: OvsBridge; readonly watch: BridgeWatch }[] {
    return (this.database?.bridges ?? []).flatMap((bridge) => {
      const watch = this.bridges.get(bridge.name);
      return watch ? [{ bridge, watch }] : [];
    });
  }

  /** Bridges, and rows of the database, that are not looked at. */
  get dropped(): { readonly bridges: number; readonly rows: number } {
    return { bridges: this.unwatched, rows: this.client?.dropped ?? 0 };
  }

  /** The database and all bridges at once: none waits for another, but for their names. Never rejects. */
  async poll(): Promise<void> {
    const asking = this.askDatabase();
    if (!this.database) await asking;
    this.adjust();
    await Promise.all([asking, ...[...this.bridges].map(([name, watch]) => watch.poll(() => this.bridge(name)))]);
  }

  close(): void {
    this.isClosed = true;
    this.client?.close();
    for (const watch of this.bridges.values()) watch.close();
  }

  private bridge(name: string): OvsBridge | undefined {
    return this.database?.bridges.find((bridge) => bridge.name === name);
  }

  private async askDatabase(): Promise<void> {
    const { tools } = this;
    if (this.isClosed || !this.isDue()) return;
    this.askedAt = tools.now();
    try {
      if (this.client?.isOpen) await this.client.check(tools.deadlineMs);
      else await this.connect();
      this.provenAt = tools.now();
      this.outcome = Outcome.ok;
      this.inRow = 0;
    } catch (error) {
      const outcome = outcomeOfSwitch(error);
      this.wasThere ||= outcome === Outcome.gone && !isNowhere(error);
      this.outcome = outcome === Outcome.gone && !this.wasThere ? Outcome.notConfigured : outcome;
      if (outcome !== Outcome.gone) this.inRow++;
    }
  }

  private async connect(): Promise<void> {
    const { deadlineMs } = this.tools;
    const left = timeLeft(performance.now() + deadlineMs);
    const client = await withSwitchSocket(this.path, SOCKET, left, (path) =>
      OvsdbClient.connect(path, { ...LIMITS, deadlineMs: left() }, () => this.news()),
    );
    this.client?.close();
    this.client = client;
    this.wasThere = true;
    if (this.isClosed) client.close();
  }

  private isDue(): boolean {
    const { askedAt, inRow, tools } = this;
    return isDue({ askedAt, inRow, phase: 0 }, tools.intervalMs, tools.now());
  }

  private news(): void {
    for (const watch of this.bridges.values()) watch.news();
  }

  /** Watches the bridges that there are. */
  private adjust(): void {
    const { database } = this;
    if (!database) return;
    const names = database.bridges.map(({ name }) => name).filter(isOnePathPart);
    const wanted = new Set(names.slice(0, MAX_BRIDGES));
    this.unwatched = database.bridges.length - wanted.size;
    for (const [name, watch] of this.bridges) {
      if (wanted.has(name)) continue;
      watch.close();
      this.bridges.delete(name);
    }
    for (const name of wanted) if (!this.bridges.has(name)) this.bridges.set(name, new BridgeWatch(this.path, name, this.tools));
  }
}
