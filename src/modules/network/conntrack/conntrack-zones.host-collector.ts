import { Injectable } from '@nestjs/common';
import { Host } from '../../../host/host.js';
import { piecesOf } from '../../../host/pieces.js';
import type { HostCollector, HostCollectorAbout } from '../../../model/host-collector.js';
import type { HostFamily } from '../../../model/host-family.js';
import { label } from '../../../model/labels.js';
import { Outcome, outcomeOfErrno } from '../../../model/outcome.js';
import { Settings } from '../../../model/settings.js';
import { MAX_ZONES, ZoneCounter, type ZoneCounts } from './conntrack-zones.js';
import { HostConntrack } from './host-conntrack.js';

/**
 * For one walk. Linux before 6.18 goes to the start of the table for each page it hands out, so that the price grows with the square of
 * the connections: hours for a million of them.
 */
const WALK_MS = 5000;
/** A walk that took too long is tried again only after so many intervals. */
const PATIENCE = 10;

/** How many of the host's connections are in each zone, which is how virtual switches keep their tenants' apart. */
@Injectable()
export class ConntrackZonesHostCollector implements HostCollector {
  static readonly about: HostCollectorAbout = {
    name: 'conntrack_zones',
    tier: 'timer',
    reads:
      '`/proc/1/net/nf_conntrack`, whole, a page at a time off the event loop: 2 to 4 µs of CPU a connection, far more before Linux 6.18',
    enabled: true,
  };
  readonly about = ConntrackZonesHostCollector.about;
  private counts: ZoneCounts | null = null;
  private tookTooLong = false;
  private isClosed = false;
  private readonly known: readonly HostFamily[] = [
    {
      name: 'vmgauge_conntrack_zone_entries',
      type: 'gauge',
      help: `Connections of the host in the zone, counted every conntrack.zones-interval in one walk through all of them, while they come and go: exact only as far as the table stands still. Of more than ${MAX_ZONES} zones the largest.`,
      labelNames: ['zone'],
      samples: () => [...(this.counts?.zones ?? [])].map(([zone, value]) => ({ labels: label('zone', String(zone)), value })),
    },
    {
      name: 'vmgauge_conntrack_zone_unlisted_entries',
      type: 'gauge',
      help: `Connections that are in no sample of vmgauge_conntrack_zone_entries: their line does not parse, or there were more than ${MAX_ZONES} zones.`,
      labelNames: ['reason'],
      samples: () =>
        this.counts === null
          ? []
          : [
              { labels: label('reason', 'malformed'), value: this.counts.malformed },
              { labels: label('reason', 'too_many_zones'), value: this.counts.inOthers },
            ],
    },
  ];

  constructor(
    private readonly host: Host,
    private readonly settings: Settings,
    private readonly conntrack: HostConntrack,
  ) {}

  get intervalMs(): number {
    return this.settings.conntrackZonesIntervalMs * (this.tookTooLong ? PATIENCE : 1);
  }

  async read(): Promise<Outcome> {
    const counts = await this.walk();
    this.counts = typeof counts === 'number' ? null : counts;
    this.tookTooLong = counts === Outcome.timeout;
    return typeof counts === 'number' ? counts : Outcome.ok;
  }

  families(): readonly HostFamily[] {
    return this.known;
  }

  close(): void {
    this.isClosed = true;
  }

  private async walk(): Promise<ZoneCounts | Outcome> {
    const outcome = this.conntrack.read();
    if (outcome !== Outcome.ok || this.conntrack.last === null) return outcome;
    const { conntrackZonesMaxEntries: most } = this.settings;
    if (this.conntrack.last.entries > most) return Outcome.tooLarge;
    const counter = new ZoneCounter();
    try {
      for await (const piece of piecesOf(this.conntrack.tablePath, WALK_MS, this.host.clock)) {
        if (!counter.take(piece)) return Outcome.malformed;
        if (counter.lines > most) return Outcome.tooLarge;
        if (this.isClosed) return Outcome.busy;
      }
    } catch (error) {
      const why = outcomeOfErrno(error);
      // The kernel tracks connections, and was built without the table of them.
      return why === Outcome.gone ? Outcome.unsupported : why;
    }
    const counts = counter.finish();
    return counter.lines > 0 && counts.malformed === counter.lines ? Outcome.malformed : counts;
  }
}
