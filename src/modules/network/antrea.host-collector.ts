import { Injectable, Optional } from '@nestjs/common';
import type { HostCollector, HostCollectorAbout } from '../../model/host-collector.js';
import type { HostFamily, HostSample } from '../../model/host-family.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { ANTREA_METERS, antreaBridge, antreaPods } from './antrea-bridge.js';
import { HostConntrack } from './conntrack/host-conntrack.js';
import { type BridgeReading, tableName } from './ovs/bridge-reading.js';
import { OvsObserver, type SeenBridge } from './ovs/observer.js';
import { sample } from './ovs/ovs-families.js';
import type { SwitchWatch } from './ovs/switch-watch.js';

/**
 * Families of the Antrea agent that the host itself can tell, under the agent's names, types and labels. What the agent counts in its own
 * books is read here where it happens: flows in the switch, learned and expired ones included, and connections in the kernel, all of them.
 *
 * `antrea_agent_conntrack_antrea_connection_count` is not among them: it is what the agent's flow exporter remembers after filters of its own.
 */
@Injectable()
export class AntreaHostCollector implements HostCollector {
  static readonly about: HostCollectorAbout = {
    name: 'antrea',
    tier: 'sweep',
    reads: 'what `ovs` told of the bridge of Antrea and `conntrack` of connections, under the names of the Antrea agent; nothing by itself',
    enabled: true,
  };
  readonly about = AntreaHostCollector.about;
  private readonly known: readonly HostFamily[];
  /** Where the bridge of Antrea was last: while its database tells nothing nobody knows that it is gone. */
  private directory: string | undefined;

  constructor(
    private readonly observer: OvsObserver,
    private readonly settings: Settings,
    @Optional() conntrack?: HostConntrack,
  ) {
    const last = () => (this.isOn ? conntrack?.last : null);
    this.known = [
      gauge('antrea_agent_conntrack_max_connection_count', 'Size of the conntrack table.', [], () => sample(last()?.maxEntries, {})),
      gauge('antrea_agent_conntrack_total_connection_count', 'Number of connections in the conntrack table.', [], () =>
        sample(last()?.entries, {}),
      ),
      gauge('antrea_agent_local_pod_count', 'Number of Pods on local Node which are managed by the Antrea Agent.', [], () => {
        const seen = this.bridge();
        return seen ? sample(antreaPods(seen.bridge), {}) : [];
      }),
      ...this.switchFamilies(),
    ];
  }

  read(): Outcome {
    const { antreaFamilies } = this.settings;
    if (antreaFamilies === 'off') return Outcome.notConfigured;
    const seen = this.bridge();
    if (seen) this.directory = seen.directory;
    const lost = seen ? undefined : this.lost;
    if (lost) return lost.outcome === Outcome.ok ? Outcome.gone : lost.outcome;
    if (antreaFamilies === 'auto' && !seen) return Outcome.notConfigured;
    if (!seen || seen.watch.reading) return Outcome.ok;
    return seen.watch.outcome === Outcome.ok ? Outcome.gone : seen.watch.outcome;
  }

  families(): readonly HostFamily[] {
    return this.known;
  }

  private switchFamilies(): readonly HostFamily[] {
    return [
      gauge(
        'antrea_agent_ovs_flow_count',
        'Flow count for each OVS flow table. The TableID and TableName are used as labels.',
        ['table_id', 'table_name'],
        () =>
          this.ofReading(({ tables }) =>
            tables.flatMap((table) => sample(table.active, { table_id: String(table.id), table_name: tableName(table) })),
          ),
      ),
      {
        name: 'antrea_agent_ovs_flow_ops_count',
        type: 'counter',
        help: 'Number of OVS flow operations, partitioned by operation type (add, modify and delete).',
        labelNames: ['operation'],
        yields: true,
        samples: () => this.operations(),
      },
      gauge(
        'antrea_agent_ovs_meter_packet_dropped_count',
        'Number of packets dropped by OVS meter. The value is greater than 0 when the packets exceed the rate-limit.',
        ['meter_id'],
        () =>
          this.ofReading(({ meters }) =>
            (meters ?? []).flatMap(({ id, bands }) => {
              const name = ANTREA_METERS.get(id);
              return name === undefined ? [] : sample(bands[0]?.packets, { meter_id: name });
            }),
          ),
      ),
      gauge('antrea_agent_ovs_total_flow_count', 'Total flow count of all OVS flow tables.', [], () =>
        this.ofReading(({ tables }) =>
          sample(
            tables.reduce((sum, { active }) => sum + active, 0),
            {},
          ),
        ),
      ),
    ];
  }

  /** Only with ovs.flow-monitor: of each flow, where the agent counts calls. */
  private operations(): readonly HostSample[] {
    const tally = this.bridge()?.watch.tally;
    if (!tally) return [];
    return [
      ...sample(tally.added, { operation: 'add' }),
      ...sample(tally.deleted, { operation: 'delete' }),
      ...sample(tally.modified, { operation: 'modify' }),
    ];
  }

  private ofReading(samples: (reading: BridgeReading) => readonly HostSample[]): readonly HostSample[] {
    const reading = this.bridge()?.watch.reading;
    return reading ? samples(reading) : [];
  }

  private bridge(): SeenBridge | undefined {
    return this.settings.antreaFamilies === 'off' ? undefined : antreaBridge(this.observer.bridges());
  }

  /** The switch of Antrea while its database does not answer. */
  private get lost(): SwitchWatch | undefined {
    return this.observer.switches.find(({ directory, database }) => directory === this.directory && !database);
  }

  /** Connections are the whole host's, and Antrea's name for them is used where Antrea is. */
  private get isOn(): boolean {
    const { antreaFamilies } = this.settings;
    return antreaFamilies === 'on' || this.bridge() !== undefined || (antreaFamilies === 'auto' && this.lost !== undefined);
  }
}

const gauge = (name: string, help: string, labelNames: readonly string[], samples: () => Iterable<HostSample>): HostFamily => ({
  ...{ name, type: 'gauge', help, labelNames, samples, yields: true },
});
