import { isOfSandboxes, type Subject, type VmmWords } from '../../model/collector.js';
import type { Hypervisor, InstanceState } from '../../model/instance.js';
import { label, labels } from '../../model/labels.js';
import { Outcome, outcomeWords } from '../../model/outcome.js';
import type { PartKey, PartWords } from '../../model/tables.js';
import type { Collection } from '../collection/collection.js';
import type { CollectorState } from '../collection/sampler.js';
import type { Instance } from '../instances/instance.js';
import type { Registry } from '../instances/registry.js';
import { type KeptLabels, LabelKeeper, type OwnFamily, type OwnSample } from './own-families.js';

/** What instances are, in words, and why a collector gave nothing of one. */
export class InstanceFamilies {
  private readonly ids = new LabelKeeper<Instance, string>((_, id) => label('instance_id', id));
  private readonly infos = new LabelKeeper<Instance, number>((instance) => infoLabels(instance));
  private readonly statesOf = new LabelKeeper<Instance, string>(({ id }, state) => `${label('instance_id', id)},${label('state', state)}`);
  private readonly vmms = new LabelKeeper<Instance, VmmWords>(({ id }, words) => vmmLabels(id, words));
  private readonly disks = new LabelKeeper<PartKey, PartWords>(({ parent, name }, words) => diskLabels(parent.id, name, words));
  private readonly ports = new LabelKeeper<PartKey, PartWords>(({ parent, name }, words) => portLabels(parent.id, name, words));
  private readonly reasons: ReadonlyMap<CollectorState, LabelKeeper<Subject, number>>;

  constructor(
    private readonly registry: Registry,
    private readonly collection: Collection,
  ) {
    this.reasons = new Map(collection.sampler.active.map((state) => [state, reasonLabels(state.collector.about.name)]));
  }

  families(): OwnFamily[] {
    const instances = [...this.registry.all()].sort((a, b) => (a.id < b.id ? -1 : 1));
    const alive = instances.filter(({ row }) => row >= 0);
    const each = (list: readonly Instance[], labels: (instance: Instance) => KeptLabels, value: (instance: Instance) => number = () => 1) =>
      function* (): Iterable<OwnSample> {
        for (const instance of list) yield { labels: labels(instance), value: value(instance), instanceId: instance.id };
      };
    const byId = (instance: Instance): KeptLabels => this.ids.ofRow(instance.row, instance, instance.id);
    return [
      {
        name: 'vmgauge_vm_info',
        type: 'gauge',
        help: 'Always 1: what is known of an instance in words, to be joined by instance_id.',
        perInstance: true,
        samples: each(alive, (instance) => this.infos.ofRow(instance.row, instance, instance.version)),
      },
      {
        name: 'vmgauge_vm_state',
        type: 'gauge',
        help: 'Always 1 for the state an instance is in; the other states have no sample.',
        perInstance: true,
        samples: each(alive, (instance) => this.statesOf.ofRow(instance.row, instance, instance.state)),
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
      {
        name: 'vmgauge_collector_outcome',
        type: 'gauge',
        help: 'Always 1: why a collector gave nothing for an instance. Readings that are ok have no sample here.',
        perInstance: true,
        samples: () => this.outcomes(),
      },
      {
        name: 'vmgauge_vm_vmm_info',
        type: 'gauge',
        help: 'Always 1: how the VMM is asked, and what it calls itself. Only of VMMs that answered.',
        perInstance: true,
        labelNames: ['instance_id', 'dialogue', 'version'],
        samples: () => this.vmmWords(alive),
      },
      {
        name: 'vmgauge_vm_disk_info',
        type: 'gauge',
        help: 'Always 1: what the VMM tells of a disk in words, to be joined by instance_id and device; an empty label is not told.',
        perInstance: true,
        labelNames: ['instance_id', 'device', 'file', 'format', 'read_only'],
        samples: () => this.diskWords(),
      },
      {
        name: 'vmgauge_vm_switch_port_info',
        type: 'gauge',
        help: 'Always 1: where a port of the VM is at its virtual switch, to be joined by instance_id and port; an empty label is not known.',
        perInstance: true,
        labelNames: ['instance_id', 'port', 'bridge', 'interface', 'ofport', 'vlan', 'iface_id'],
        samples: () => this.portWords(),
      },
    ];
  }

  private *vmmWords(instances: readonly Instance[]): Iterable<OwnSample> {
    for (const instance of instances) {
      const { id, vmmWords } = instance;
      if (vmmWords) yield { labels: this.vmms.labels(instance, vmmWords), value: 1, instanceId: id };
    }
  }

  private *diskWords(): Iterable<OwnSample> {
    for (const key of this.collection.disks.keys) {
      if (key.words) yield { labels: this.disks.labels(key, key.words), value: 1, instanceId: key.parent.id };
    }
  }

  private *portWords(): Iterable<OwnSample> {
    for (const key of this.collection.switchPorts.keys) {
      if (key.words) yield { labels: this.ports.labels(key, key.words), value: 1, instanceId: key.parent.id };
    }
  }

  private *outcomes(): Iterable<OwnSample> {
    const { rows, keys } = this.collection.order;
    const sandboxes = keys.some(({ sandboxRow }) => sandboxRow >= 0);
    const columns = [...this.reasons]
      .filter(([{ collector, outcome }]) => (sandboxes || !isOfSandboxes(collector)) && rows.some((row) => isReason(outcome.front[row])))
      .sort(([a], [b]) => (a.collector.about.name < b.collector.about.name ? -1 : 1))
      .map(([{ outcome }, reasons]) => ({ codes: outcome.front, reasons }));
    for (let i = 0; i < rows.length; i++) {
      for (let c = 0; c < columns.length; c++) {
        const { codes, reasons } = columns[c];
        const code = codes[rows[i]];
        if (isReason(code)) yield { labels: reasons.ofRow(rows[i], keys[i], code), value: 1, instanceId: keys[i].id };
      }
    }
  }
}

/** @param code NaN where the collector does not concern the instance */
const isReason = (code: number): boolean => code !== Outcome.ok && !Number.isNaN(code);

function infoLabels({ id, name, hypervisor, sources, record: { uuid = '' } }: Instance): string {
  return labels({ instance_id: id, instance_name: name, hypervisor, source: sources[0], uuid });
}

const vmmLabels = (id: string, { dialogue, version }: VmmWords): string =>
  labels({ instance_id: id, dialogue: dialogue ?? '', version: version ?? '' });

const diskLabels = (id: string, device: string, { file = '', format = '', readOnly }: PartWords): string =>
  labels({ instance_id: id, device, file, format, read_only: readOnly === undefined ? '' : String(readOnly) });

const portLabels = (id: string, port: string, { bridge = '', interface: device = '', ofPort, vlan, ifaceId = '' }: PartWords): string =>
  labels({ instance_id: id, port, bridge, interface: device, ofport: String(ofPort ?? ''), vlan: String(vlan ?? ''), iface_id: ifaceId });

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
