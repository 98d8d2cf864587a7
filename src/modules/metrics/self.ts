import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import { REFUSAL_REASONS, Refusals } from '../../http/refusals.js';
import { label } from '../../model/labels.js';
import { Outcome, outcomeWords } from '../../model/outcome.js';
import { millisecondsToSeconds } from '../../model/units.js';
import { VERSION } from '../../version.js';
import { Collection } from '../collection/collection.js';
import { HostCollection } from '../collection/host-collection.js';
import { Discovery } from '../instances/discovery.js';
import { Registry } from '../instances/registry.js';
import { InstanceFamilies } from './instance-families.js';
import { KataFamilies } from './kata-families.js';
import { type OwnFamily, one } from './own-families.js';

/** Families about the agent's own work, and all others that are made for each page; what is not known has no sample. */
@Injectable()
export class SelfFamilies {
  private readonly instances: InstanceFamilies;
  private reloadSuccessful = true;
  private reloadSuccessMs: number;

  constructor(
    private readonly registry: Registry,
    private readonly collection: Collection,
    private readonly discovery: Discovery,
    private readonly host: Host,
    @Optional() private readonly kata?: KataFamilies,
    @Optional() private readonly ofHost?: HostCollection,
    @Optional() private readonly refusals: Refusals = new Refusals(),
  ) {
    this.reloadSuccessMs = host.clock.now();
    this.instances = new InstanceFamilies(registry, collection);
  }

  /** How the last reload of the configuration went; the start counts as one. */
  reloaded(successful: boolean): void {
    this.reloadSuccessful = successful;
    if (successful) this.reloadSuccessMs = this.host.clock.now();
  }

  families(): OwnFamily[] {
    return [
      ...this.agentFamilies(),
      ...this.instances.families(),
      ...this.collectorFamilies(),
      ...this.hostCollectorFamilies(),
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
      {
        name: 'vmgauge_http_requests_refused_total',
        type: 'counter',
        help: 'Requests that were turned away before anything was read for them: no good token, more than web.rate-limit a second, or web.max-requests scrapes under way.',
        samples: () => REFUSAL_REASONS.map((reason) => ({ labels: label('reason', reason), value: this.refusals.of(reason) })),
      },
    ];
  }

  private collectorFamilies(): OwnFamily[] {
    const ofInstances = this.collection.sampler.active.map((state) => ({ ...state, seconds: state.sweepSeconds }));
    const states = [...ofInstances, ...(this.ofHost?.active ?? [])].sort(byCollector);
    const wallOffset = this.host.clock.now() - this.host.clock.monotonic();
    return [
      {
        name: 'vmgauge_collector_duration_seconds',
        type: 'gauge',
        help: 'Time the collector took in the last sweep, all instances; of a collector of the host itself its last reading, waiting included.',
        unit: 'seconds',
        samples: () => states.flatMap(({ collector, seconds }) => one(seconds, { collector: collector.about.name })),
      },
      {
        name: 'vmgauge_collector_last_success_timestamp_seconds',
        type: 'gauge',
        help: 'When the collector last read any instance, or the host.',
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

  private hostCollectorFamilies(): OwnFamily[] {
    const states = [...(this.ofHost?.active ?? [])].sort(byCollector);
    return [
      {
        name: 'vmgauge_host_collector_success',
        type: 'gauge',
        help: '1 when the collector read the host, 0 when what it reads is absent or failed; vmgauge_host_collector_outcome says why.',
        samples: () => states.flatMap(({ collector, outcome }) => one(outcome === Outcome.ok ? 1 : 0, { collector: collector.about.name })),
      },
      {
        name: 'vmgauge_host_collector_outcome',
        type: 'gauge',
        help: 'Always 1: how the last reading of the host went, outcome ok, absent or failed and the reason.',
        samples: () =>
          states.flatMap(({ collector, outcome: code }) => {
            const { outcome, reason = '' } = outcomeWords(code);
            return one(1, { collector: collector.about.name, outcome, reason });
          }),
      },
    ];
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

const byCollector = (a: Named, b: Named): number => (a.collector.about.name < b.collector.about.name ? -1 : 1);

interface Named {
  readonly collector: { readonly about: { readonly name: string } };
}
