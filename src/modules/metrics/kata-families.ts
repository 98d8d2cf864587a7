import { Inject, Injectable } from '@nestjs/common';
import type { Subject } from '../../model/collector.js';
import type { InstanceSource } from '../../model/instance.js';
import { DIRECTORY_STATES, isKataDirectories, type KataDirectories } from '../../model/kata-directories.js';
import { label, labels } from '../../model/labels.js';
import { Tables } from '../../model/tables.js';
import { INSTANCE_SOURCES } from '../instances/sources.js';
import { KataMonitor } from './kata-monitor.js';
import { LabelKeeper, type OwnFamily, type OwnSample } from './own-families.js';

/** What the house says of Kata on this host: directories, pods, and what kata-monitor says of itself. Nothing where Kata is not. */
@Injectable()
export class KataFamilies {
  private readonly sources: readonly KataDirectories[];
  private readonly pods = new LabelKeeper<Subject, number>((subject) => podLabels(subject));
  private readonly ids = new LabelKeeper<Subject, string>((_, id) => label('instance_id', id));

  constructor(
    private readonly tables: Tables,
    private readonly monitor: KataMonitor,
    @Inject(INSTANCE_SOURCES) sources: readonly InstanceSource[],
  ) {
    this.sources = sources.filter(isKataDirectories);
  }

  families(): OwnFamily[] {
    const sandboxes = this.tables.sandboxes.order.keys;
    const present = this.sources.filter(({ directories }) => directories.present);
    if (present.length === 0 && sandboxes.length === 0) return [];
    return [...this.monitor.families(), directoryFamily(present), ...this.podFamilies(sandboxes.map(({ parent }) => parent))];
  }

  private podFamilies(sandboxes: readonly Subject[]): OwnFamily[] {
    const { pods, ids } = this;
    return [
      {
        name: 'vmgauge_vm_pod_info',
        type: 'gauge',
        help: 'Always 1: the pod of a Kata sandbox and the runtime of its shim, to be joined by instance_id; empty where nobody tells.',
        perInstance: true,
        *samples() {
          for (const one of sandboxes) yield { labels: pods.labels(one, one.version), value: 1, instanceId: one.id };
        },
      },
      {
        name: 'vmgauge_vm_pod_metadata_missing',
        type: 'gauge',
        help: '1 while uid, name or namespace of the pod of a Kata sandbox is not known, else 0.',
        perInstance: true,
        *samples() {
          for (const one of sandboxes) yield { labels: ids.labels(one, one.id), value: isPodKnown(one) ? 0 : 1, instanceId: one.id };
        },
      },
    ];
  }
}

const directoryFamily = (sources: readonly KataDirectories[]): OwnFamily => ({
  name: 'vmgauge_kata_directories',
  type: 'gauge',
  help: 'Directories below the roots where Kata keeps its sandboxes: live ones, what shims that are gone left behind (stale), and what never was Kata’s (phantom).',
  samples: () => sources.flatMap(({ directories: { roots } }) => roots.flatMap(directorySamples)).sort(byLabels),
});

const directorySamples = ({ root, counts }: KataDirectories['directories']['roots'][number]): OwnSample[] =>
  DIRECTORY_STATES.map((state) => ({ labels: labels({ root, state }), value: counts[state] }));

const byLabels = (a: OwnSample, b: OwnSample): number => (a.labels < b.labels ? -1 : 1);

function podLabels({ id, record: { sandbox } }: Subject): string {
  const { uid = '', name = '', namespace = '' } = sandbox?.pod ?? {};
  return labels({ instance_id: id, pod_uid: uid, pod_name: name, pod_namespace: namespace, runtime: sandbox?.runtime ?? '' });
}

function isPodKnown({ record: { sandbox } }: Subject): boolean {
  const { uid, name, namespace } = sandbox?.pod ?? {};
  return uid !== undefined && name !== undefined && namespace !== undefined;
}
