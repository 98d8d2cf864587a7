import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Subject } from '../../model/collector.js';
import type { Hypervisor, InstanceState } from '../../model/instance.js';
import { label, labels } from '../../model/labels.js';
import { Outcome, outcomeWords } from '../../model/outcome.js';
import { millisecondsToSeconds } from '../../model/units.js';
import { VERSION } from '../../version.js';
import { Collection } from '../collection/collection.js';
import type { CollectorState } from '../collection/sampler.js';
import { Discovery } from '../instances/discovery.js';
import type { Instance } from '../instances/instance.js';
import { Registry } from '../instances/registry.js';
import { KataFamilies } from './kata-families.js';
import { type KeptLabels, LabelKeeper, type OwnFamily, type OwnSample, one } from './own-families.js';

/** Families about instances and about the agent's own work; what is not known has no sample. */
@Injectable()
export class SelfFamilies {
  private readonly ids = new LabelKeeper<Instance, string>((_, id) => label('instance_id', id));
  private readonly infos = new LabelKeeper<Instance, number>((instance) => infoLabels(instance));
  private readonly statesOf = new LabelKeeper<Instance, string>(({ id }, state) => `${label('instance_id', id)},${label('state', state)}`);
  private readonly reasons: ReadonlyMap<CollectorState, LabelKeeper<Subject, number>>;
  private reloadSuccessful = true;
  private reloadSuccessMs: number;

  constructor(
    private readonly registry: Registry,
    private readonly collection: Collection,
    private readonly discovery: Discovery,
    private readonly host: Host,
    @Optional() private readonly kata?: KataFamilies,
  ) {
    this.reloadSuccessMs = host.clock.now();
    this.reasons = new Map(collection.sampler.active.map((state) => [state, reasonLabels(state.collector.about.name)]));
  }

  /** How the last reload of the configuration went; the start counts as one. */
  reloaded(successful: boolean): void {
    this.reloadSuccessful = successful;
    if (successful) this.reloadSuccessMs = this.host.clock.now();
  }

  families(): OwnFamily[] {
    return [
      ...this.agentFamilies(),
      ...this.instanceFamilies(),
      ...this.collectorFamilies(),
      ...this.sweepFamilies(),
      ...this.sourceFamilies(),
      ...this.discoveryFamilies(),
      ...(this.kata?.families() ?? []),
    ];
  }

  private agentFamilies(): OwnFamily[] {
    return [
      {
        name: 'vmgauge_build_info',
        type: 'gauge',
        help: 'Always 1: version of the agent and of the runtime it runs on.',
        samples: () => one(1, { version: VERSION, node_version: process.version }),
      },
      {
        name: 'vmgauge_config_last_reload_successful',
        type: 'gauge',
        help: '1 when the configuration was read without complaint the last time, at the start or on SIGHUP.',
        samples: () => one(this.reloadSuccessful ? 1 : 0),
      },
      {
        name: 'vmgauge_config_last_reload_success_timestamp_seconds',
        type: 'gauge',
        help: 'When the configuration was last read without complaint.',
        unit: 'seconds',
        samples: () => one(millisecondsToSeconds(this.reloadSuccessMs)),
      },
    ];
  }

  private instanceFamilies(): OwnFamily[] {
    const instances = [...this.registry.all()].sort((a, b) => (a.id < b.id ? -1 : 1));
    const alive = instances.filter(({ row }) => row >= 0);
    const each = (list: readonly Instance[], labels: (instance: Instance) => KeptLabels, value: (instance: Instance) => number = () => 1) =>
      function* (): Iterable<OwnSample> {
        for (const instance of list) yield { labels: labels(instance), value: value(instance), instanceId: instance.id };
      };
    const byId = (instance: Instance): KeptLabels => this.ids.labels(instance, instance.id);
    return [
      {
        name: 'vmgauge_vm_info',
        type: 'gauge',
        help: 'Always 1: what is known of an instance in words, to be joined by instance_id.',
        perInstance: true,
        samples: each(alive, (instance) => this.infos.labels(instance, instance.version)),
      },
      {
        name: 'vmgauge_vm_state',
        type: 'gauge',
        help: 'Always 1 for the state an instance is in; the other states have no sample.',
        perInstance: true,
        samples: each(alive, (instance) => this.statesOf.labels(instance, instance.state)),
      },
      {
        name: 'vmgauge_vm_generation',
        type: 'gauge',
        help: 'VMM processes this instance has had since the agent knows it; its counters start anew with each.',
        perInstance: true,
        samples: each(alive, byId, ({ generation }) => generation),
      },
      {
        name: 'vmgauge_instance_up',
        type: 'gauge',
        help: '1 while the process of the instance is there and was read by the last sweep, else 0.',
        perInstance: true,
        samples: each(instances, byId, ({ row, sequence }) => (row >= 0 && sequence === this.collection.last.sequence ? 1 : 0)),
      },
      {
        name: 'vmgauge_instances',
        type: 'gauge',
        help: 'Known instances by hypervisor and state, stopped ones that are still remembered included.',
        samples: () => countBy(instances),
      },
    ];
  }

  private collectorFamilies(): OwnFamily[] {
    const states = [...this.collection.sampler.active].sort((a, b) => (a.collector.about.name < b.collector.about.name ? -1 : 1));
    const wallOffset = this.host.clock.now() - this.host.clock.monotonic();
    return [
      {
        name: 'vmgauge_collector_outcome',
        type: 'gauge',
        help: 'Always 1: why a collector gave nothing for an instance. Readings that are ok have no sample here.',
        perInstance: true,
        samples: () => this.outcomes(),
      },
      {
        name: 'vmgauge_collector_duration_seconds',
        type: 'gauge',
        help: 'Time the collector took in the last sweep, all instances.',
        unit: 'seconds',
        samples: () =>
          states.map(({ collector, sweepSeconds }) => ({ labels: label('collector', collector.about.name), value: sweepSeconds })),
      },
      {
        name: 'vmgauge_collector_last_success_timestamp_seconds',
        type: 'gauge',
        help: 'When the collector last read any instance.',
        unit: 'seconds',
        samples: () =>
          states.flatMap(({ collector, lastSuccessMs }) =>
            lastSuccessMs === null ? [] : one(millisecondsToSeconds(wallOffset + lastSuccessMs), { collector: collector.about.name }),
          ),
      },
      {
        name: 'vmgauge_collector_defects_total',
        type: 'counter',
        help: 'Unexpected errors inside a collector: defects of the agent, please report them.',
        samples: () => states.map(({ collector, unexpected }) => ({ labels: label('collector', collector.about.name), value: unexpected })),
      },
    ];
  }

  private *outcomes(): Iterable<OwnSample> {
    const { rows, keys } = this.collection.order;
    const sandboxes = keys.some(({ sandboxRow }) => sandboxRow >= 0);
    const columns = [...this.reasons]
      .filter(([{ collector }]) => sandboxes || !collector.concerns)
      .sort(([a], [b]) => (a.collector.about.name < b.collector.about.name ? -1 : 1))
      .map(([{ outcome }, reasons]) => ({ codes: outcome.front, reasons }));
    for (let i = 0; i < rows.length; i++) {
      for (let c = 0; c < columns.length; c++) {
        const { codes, reasons } = columns[c];
        const code = codes[rows[i]];
        // NaN: the collector does not concern this instance.
        if (code !== Outcome.ok && !Number.isNaN(code)) yield { labels: reasons.labels(keys[i], code), value: 1, instanceId: keys[i].id };
      }
    }
  }

  private sweepFamilies(): OwnFamily[] {
    const { last } = this.collection;
    return [
      { name: 'vmgauge_sweeps_total', type: 'counter', help: 'Finished sweeps over all instances.', samples: () => one(last.sequence) },
      {
        name: 'vmgauge_sweep_duration_seconds',
        type: 'gauge',
        help: 'Duration of the sweep this page was made of, pauses included.',
        unit: 'seconds',
        samples: () => one(last.seconds),
      },
      {
        name: 'vmgauge_sweep_skew_seconds',
        type: 'gauge',
        help: 'Time between the reading of the first and of the last instance of the sweep.',
        unit: 'seconds',
        samples: () => one(millisecondsToSeconds(last.skewMs)),
      },
      {
        name: 'vmgauge_sweep_timestamp_seconds',
        type: 'gauge',
        help: 'When the sweep this page was made of began.',
        unit: 'seconds',
        samples: () => one(millisecondsToSeconds(last.startedMs)),
      },
    ];
  }

  private sourceFamilies(): OwnFamily[] {
    const sources = [...this.registry.sources].sort((a, b) => (a.name < b.name ? -1 : 1));
    const each = (value: (source: (typeof sources)[number]) => number | null) => () =>
      sources.flatMap((source) => one(value(source), { source: source.name }));
    return [
      {
        name: 'vmgauge_source_up',
        type: 'gauge',
        help: '1 when the source answered the last rescan.',
        samples: each(({ ok }) => (ok ? 1 : 0)),
      },
      {
        name: 'vmgauge_source_instances',
        type: 'gauge',
        help: 'Instances in the last good answer of the source.',
        samples: each(({ instances }) => instances),
      },
      {
        name: 'vmgauge_source_problems',
        type: 'gauge',
        help: 'Entries of the source that were passed over because they could not be read or did not hold; the log names them.',
        samples: each(({ problems }) => problems),
      },
      {
        name: 'vmgauge_source_last_success_timestamp_seconds',
        type: 'gauge',
        help: 'When the source last answered.',
        unit: 'seconds',
        samples: each(({ lastSuccessMs }) => (lastSuccessMs === null ? null : millisecondsToSeconds(lastSuccessMs))),
      },
    ];
  }

  private discoveryFamilies(): OwnFamily[] {
    const { registry, discovery } = this;
    return [
      {
        name: 'vmgauge_discovery_duration_seconds',
        type: 'gauge',
        help: 'Duration of the last rescan of all sources, pauses included.',
        unit: 'seconds',
        samples: () => one(registry.lastRescanSeconds),
      },
      { name: 'vmgauge_discovery_rescans_total', type: 'counter', help: 'Finished rescans.', samples: () => one(registry.rescans) },
      {
        name: 'vmgauge_discovery_processes',
        type: 'gauge',
        help: 'Processes seen by the last rescan.',
        samples: () => one(discovery.processes),
      },
      {
        name: 'vmgauge_discovery_unreadable_processes',
        type: 'gauge',
        help: 'Processes whose descriptors the agent may not see; VMs may be among them. Needs CAP_SYS_PTRACE.',
        samples: () => one(discovery.unreadable),
      },
      {
        name: 'vmgauge_discovery_refused_claims_total',
        type: 'counter',
        help: 'Times a source named a process that is gone or is not the one it means.',
        samples: () => one(registry.claimsRefused),
      },
    ];
  }
}

function infoLabels({ id, name, hypervisor, sources, record: { uuid = '' } }: Instance): string {
  return labels({ instance_id: id, instance_name: name, hypervisor, source: sources[0], uuid });
}

/** Why a collector gave nothing, by the code in its outcome cell. */
function reasonLabels(collector: string): LabelKeeper<Subject, number> {
  return new LabelKeeper(({ id }, code) => {
    const { outcome, reason = '' } = outcomeWords(code);
    return labels({ instance_id: id, collector, outcome, reason });
  });
}

function countBy(instances: readonly Instance[]): OwnSample[] {
  const counts = new Map<Hypervisor, Map<InstanceState, number>>();
  for (const { hypervisor, state } of instances) {
    const states = counts.get(hypervisor) ?? new Map<InstanceState, number>();
    counts.set(hypervisor, states.set(state, 1 + (states.get(state) ?? 0)));
  }
  return [...counts]
    .flatMap(([hypervisor, states]) => [...states].map(([state, value]) => ({ labels: labels({ hypervisor, state }), value })))
    .sort((a, b) => (a.labels < b.labels ? -1 : 1));
}
