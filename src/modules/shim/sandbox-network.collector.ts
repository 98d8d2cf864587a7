import { Injectable } from '@nestjs/common';
import { mayHoldMore } from '../../host/held.js';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, type Exposure, gauge, type Metric, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { KernelFile } from '../../model/process.js';
import { Tables } from '../../model/tables.js';
import { isVmmInShim } from '../../model/vmm-in-shim.js';
import { InterfaceRows, MAX_INTERFACES } from './interface-rows.js';
import { NET_DEV_ITEMS } from './net-dev-items.js';
import { SandboxNamespace, type Surroundings } from './sandbox-namespace.js';

const SHIM_NETDEV = gauge({
  name: 'kata_shim_netdev',
  help: 'Kata containerd shim v2 network devices statistics.',
  identity: 'sandbox_interface',
});
const VMM_NETDEV = gauge({ name: 'kata_hypervisor_netdev', help: 'Net devices statistics.', identity: 'sandbox_vmm_interface' });

/** Words of our own families by Kata's items; the other eight are hardly ever anything but 0. */
const NATIVE: Readonly<Record<string, readonly [word: string, unit?: 'bytes']>> = {
  recv_bytes: ['receive_bytes', 'bytes'],
  recv_packets: ['receive_packets'],
  recv_errs: ['receive_errors'],
  recv_drop: ['receive_drops'],
  sent_bytes: ['transmit_bytes', 'bytes'],
  sent_packets: ['transmit_packets'],
  sent_errs: ['transmit_errors'],
  sent_drop: ['transmit_drops'],
};

const INTERFACE_METRICS: readonly Metric[] = NET_DEV_ITEMS.map((item) =>
  metric({
    json: item,
    description: `\`${item}\` of the interface as the host counts it: what a tap received is what the guest sent.`,
    also: [{ family: SHIM_NETDEV, labels: { item } }, { family: VMM_NETDEV, labels: { item } }, ...native(item)],
  }),
);

function native(item: string): Exposure[] {
  const known = NATIVE[item];
  if (!known) return [];
  const [word, unit] = known;
  const family = counter({
    name: `vmgauge_sandbox_network_${word}_total`,
    help: 'Counter of an interface in the network namespace of the sandbox, as the host counts it: what a tap received is what the guest sent.',
    identity: 'sandbox_interface',
    ...(unit ? { unit } : {}),
  });
  return [{ family }];
}

const METRICS = {
  dropped: metric({
    json: 'shim.interfaces_dropped',
    family: gauge({
      name: 'vmgauge_sandbox_network_dropped_interfaces',
      help: `Interfaces in the network namespace of the sandbox that are not counted, because only ${MAX_INTERFACES} are.`,
      identity: 'sandbox',
    }),
  }),
};

/** Some 500 interfaces; more is no pod's. */
const table = Buffer.allocUnsafeSlow(65_536);

/** The interfaces of the sandbox's network namespace. Where the VMM is in the host's there are none: they would be the host's. */
@Injectable()
export class SandboxNetworkCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'sandbox_network',
    tier: 'sweep',
    reads: '`net/dev` of the network namespace of a Kata sandbox, never of the host’s: all counters of every interface',
    enabled: true,
  };
  readonly about = SandboxNetworkCollector.about;
  readonly metrics = [];
  readonly sandboxMetrics = Object.values(METRICS);
  readonly sandboxInterfaceMetrics = INTERFACE_METRICS;
  private readonly columns;
  private readonly cells;
  private readonly sandboxes = new Map<number, { readonly namespace: SandboxNamespace; readonly rows: InterfaceRows }>();
  private readonly surroundings: Surroundings;

  constructor(
    private readonly tables: Tables,
    host: Host,
  ) {
    this.columns = tables.sandboxes.columnsOf(METRICS);
    this.cells = INTERFACE_METRICS.map((item) => tables.sandboxInterfaces.column(item));
    this.surroundings = { mayHoldMore, identity: namespaceOfInit(host) };
  }

  concerns({ sandboxRow }: Subject): boolean {
    return sandboxRow >= 0;
  }

  attach(subject: Subject): void {
    this.devices(subject);
  }

  devices(subject: Subject): void {
    this.detach(subject);
    if (!subject.process || !this.concerns(subject)) return;
    this.sandboxes.set(subject.row, {
      namespace: new SandboxNamespace(subject.process, isVmmInShim(subject), this.surroundings),
      rows: new InterfaceRows(this.tables, subject, this.cells),
    });
  }

  detach({ row }: Subject): void {
    const sandbox = this.sandboxes.get(row);
    sandbox?.namespace.close();
    sandbox?.rows.clear();
    this.sandboxes.delete(row);
  }

  collect(subject: Subject): Outcome {
    const sandbox = this.sandboxes.get(subject.row);
    if (!subject.process || !sandbox) return Outcome.gone;
    const { namespace, rows } = sandbox;
    const outcome = readInto(namespace);
    const dropped = outcome === Outcome.ok ? rows.update(table, namespace.length) : -1;
    if (dropped < 0) {
      rows.clear();
      return outcome === Outcome.ok ? Outcome.malformed : outcome;
    }
    this.columns.dropped.back[subject.sandboxRow] = dropped;
    return Outcome.ok;
  }
}

function readInto(namespace: SandboxNamespace): Outcome {
  try {
    return namespace.read(table);
  } catch (error) {
    return outcomeOfErrno(error);
  }
}

/** Init is in the host's network namespace. Under hidepid it is not there for us: what may be the host's is then not shown. */
function namespaceOfInit(host: Host): () => string | Outcome {
  let known: string | undefined;
  return () => {
    try {
      known ??= identityOf(host.holdFile(host.proc('1', 'net', 'dev')));
      return known;
    } catch (error) {
      const outcome = outcomeOfErrno(error);
      return outcome === Outcome.gone ? Outcome.notPermitted : outcome;
    }
  };
}

function identityOf(file: KernelFile): string {
  try {
    return file.identity();
  } finally {
    file.close();
  }
}
