import type { Subject } from '../../model/collector.js';
import { label } from '../../model/labels.js';
import type { Identity } from '../../model/metric.js';
import type { Order, Table } from '../../model/table.js';
import type { InterfaceKey, PartKey, SandboxKey, Tables } from '../../model/tables.js';
import { isVmmInShim } from '../../model/vmm-in-shim.js';
import { sandboxLabels } from '../shim/sandbox-labels.js';

/** Rendered labels by row, made anew only when the row has another key or its labels changed. Ends in `} `, the blank before the value. */
export class LabelCache<Key> {
  readonly bytes: (Buffer | undefined)[] = [];
  private readonly made: { key: Key; version: number }[] = [];

  constructor(
    private readonly render: (key: Key) => string,
    private readonly version: (key: Key) => number,
  ) {}

  update({ rows, keys }: Order<Key>): void {
    rows.forEach((row, index) => {
      const key = keys[index];
      const made = this.made[row];
      const version = this.version(key);
      if (made && made.key === key && made.version === version) return;
      this.made[row] = { key, version };
      this.bytes[row] = Buffer.from(`${this.render(key)}} `);
    });
  }
}

/** Rows that the families of one identity are printed from, and what they are called. */
export interface LabelledRows {
  /** By row: `instance_id="…"} `. */
  readonly labels: readonly (Buffer | undefined)[];
  readonly empty: boolean;
  /** Labels of the rows there are now. Before each page. */
  update(): void;
  /** In page order, all or those of the chosen instances. */
  rows(instances: ReadonlySet<string> | undefined): Int32Array;
  /** Rows of one instance, and what tells them apart where nothing says whose they are: `interface="eth0"`, or nothing. */
  bare(instance: string): Iterable<{ readonly row: number; readonly labels: string }>;
}

interface Naming<Key> {
  readonly subject: (key: Key) => Subject;
  readonly render: (key: Key) => string;
  readonly bare?: (key: Key) => string;
  /** Rows that are printed; all where it is missing. */
  readonly only?: (key: Key) => boolean;
}

class RowsOf<Key> implements LabelledRows {
  private readonly cache: LabelCache<Key>;

  constructor(
    private readonly table: Table<Key>,
    private readonly naming: Naming<Key>,
  ) {
    this.cache = new LabelCache(naming.render, (key) => naming.subject(key).version);
  }

  get labels(): readonly (Buffer | undefined)[] {
    return this.cache.bytes;
  }
  get empty(): boolean {
    return this.table.order.rows.length === 0;
  }

  update(): void {
    this.cache.update(this.table.order);
  }

  rows(instances: ReadonlySet<string> | undefined): Int32Array {
    const { rows, keys } = this.table.order;
    const { only, subject } = this.naming;
    if (!instances && !only) return rows;
    return rows.filter((_, index) => (!instances || instances.has(subject(keys[index]).id)) && (!only || only(keys[index])));
  }

  *bare(instance: string): Iterable<{ row: number; labels: string }> {
    const { rows, keys } = this.table.order;
    for (let i = 0; i < rows.length; i++) {
      const { only, subject } = this.naming;
      if (subject(keys[i]).id === instance && (!only || only(keys[i]))) yield { row: rows[i], labels: this.naming.bare?.(keys[i]) ?? '' };
    }
  }
}

const itself = (subject: Subject): Subject => subject;
const parentOf = ({ parent }: { readonly parent: Subject }): Subject => parent;
const interfaceLabel = ({ name, place }: InterfaceKey): string => label('interface', name === '' ? `nic${place}` : name);

/** A row of a table of parts: `instance_id="…",vcpu="0"`. */
const part = (word: string): Naming<PartKey> => ({
  subject: parentOf,
  render: ({ parent, name }) => `${label('instance_id', parent.id)},${label(word, name)}`,
  bare: ({ name }) => label(word, name),
});

/** The namespace is that of its pod; empty for what is no pod, which is how Prometheus says that there is none. */
const withNamespace = ({ id, name, record }: Subject): string =>
  `${label('instance_id', id)},${label('instance_name', name)},${label('namespace', record.sandbox?.pod?.namespace ?? '')}`;
/** Without a name the processes of an instance are not told apart. */
const processName = (name: string): readonly string[] => (name === '' ? [] : [label('process_name', name)]);

/** @param cri whether the labels of a sandbox name its pod */
export function labelledRows(tables: Tables, cri: boolean): Readonly<Record<Identity, LabelledRows>> {
  const ofSandbox: Naming<InterfaceKey> = {
    subject: parentOf,
    render: (key) => `${interfaceLabel(key)},${sandboxLabels(key.parent, cri)}`,
    bare: interfaceLabel,
  };
  return {
    id: new RowsOf<Subject>(tables.instances, { subject: itself, render: ({ id }) => label('instance_id', id) }),
    id_and_name: new RowsOf<Subject>(tables.instances, {
      subject: itself,
      render: ({ id, name }) => `${label('instance_id', id)},${label('instance_name', name)}`,
    }),
    interface: new RowsOf<InterfaceKey>(tables.interfaces, {
      subject: parentOf,
      render: (key) => `${label('instance_id', key.parent.id)},${interfaceLabel(key)}`,
    }),
    sandbox: new RowsOf<SandboxKey>(tables.sandboxes, { subject: parentOf, render: ({ parent }) => sandboxLabels(parent, cri) }),
    sandbox_interface: new RowsOf(tables.sandboxInterfaces, ofSandbox),
    sandbox_vmm_interface: new RowsOf(tables.sandboxInterfaces, { ...ofSandbox, only: ({ parent }) => !isVmmInShim(parent) }),
    vcpu: new RowsOf(tables.vcpus, part('vcpu')),
    disk: new RowsOf(tables.disks, part('device')),
    vnic: new RowsOf(tables.vnics, part('device')),
    kvm_exit: new RowsOf(tables.kvmExits, part('reason')),
    kvm_event: new RowsOf(tables.kvmEvents, part('event')),
    switch_port: new RowsOf(tables.switchPorts, part('port')),
    id_name_namespace: new RowsOf<Subject>(tables.instances, { subject: itself, render: withNamespace }),
    cgroup_device: new RowsOf(tables.cgroupDevices, part('device')),
    traced_process: new RowsOf<PartKey>(tables.tracedProcesses, {
      subject: parentOf,
      render: ({ parent, name }) => [label('instance_id', parent.id), ...processName(name)].join(','),
      bare: ({ name }) => processName(name).join(),
    }),
    traced_process_named: new RowsOf<PartKey>(tables.tracedProcesses, {
      subject: parentOf,
      render: ({ parent, name }) => [withNamespace(parent), ...processName(name)].join(','),
      bare: ({ name }) => processName(name).join(),
    }),
  };
}
