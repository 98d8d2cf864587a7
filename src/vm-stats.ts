import { Injectable } from '@nestjs/common';
import type { InstanceRecord } from './model/instance.js';
import type { OutcomeWords } from './model/outcome.js';
import { Collection } from './modules/collection/collection.js';
import { OneOff } from './modules/collection/one-off.js';
import { Instance } from './modules/instances/instance.js';
import { HYPEMAN_FIELDS, StatsView } from './modules/stats/stats.view.js';

/** hypeman's numbers of one VM under its names; null is unknown, and `collectors` says why. */
export interface VmStatsReading {
  readonly instance_id: string;
  readonly instance_name: string;
  readonly cpu_seconds: number | null;
  readonly memory_rss_bytes: number | null;
  readonly memory_vms_bytes: number | null;
  readonly network_rx_bytes: number | null;
  readonly network_tx_bytes: number | null;
  readonly allocated_vcpus: number | null;
  readonly allocated_memory_bytes: number | null;
  readonly memory_utilization_ratio: number | null;
  readonly collectors: Readonly<Record<string, OutcomeWords>>;
}

/** Statistics for code that has no HTTP. */
@Injectable()
export class VmStats {
  constructor(
    private readonly collection: Collection,
    private readonly view: StatsView,
    private readonly oneOff: OneOff,
  ) {}

  /** The stats documents of all running instances, from one sweep that is no older than `maxAgeMs`. */
  async collectAll(): Promise<readonly VmStatsReading[]> {
    await this.collection.fresh();
    return this.collection.read(async () => {
      const documents: VmStatsReading[] = [];
      const instances = this.collection.order.keys.filter((subject): subject is Instance => subject instanceof Instance);
      // The view's own text: one rendering for HTTP and for this.
      for await (const document of this.view.documents(instances)) documents.push(JSON.parse(document));
      return documents;
    });
  }

  /** Reads one VM now, whether any source lists it or not. A process that is not there gives nulls. */
  async getInstanceStats(info: InstanceRecord): Promise<VmStatsReading> {
    const { values, collectors } = await this.oneOff.read(info);
    const numbers = Object.fromEntries(HYPEMAN_FIELDS.map((field) => [field, values.get(field) ?? null]));
    return {
      instance_id: info.id,
      instance_name: info.name ?? info.id,
      // Object.fromEntries forgets the keys' names; they are HYPEMAN_FIELDS.
      ...(numbers as Record<(typeof HYPEMAN_FIELDS)[number], number | null>),
      collectors: Object.fromEntries(collectors),
    };
  }
}
