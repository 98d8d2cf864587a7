import type { Subject } from './collector.js';
import { PARTS } from './parts.js';
import { type Column, Table } from './table.js';

/** Key of a row of a table of parts: one of the many that an instance has of a kind. `place` keeps two apart that have no name. */
export interface PartKey {
  readonly parent: Subject;
  readonly place: number;
  readonly name: string;
  /** What is known of it in words. Written with its cells; another object when something changed. */
  words?: PartWords;
}

/** A disk as the VMM describes it, an interface as its host does, or a port as its switch does. */
export interface PartWords {
  readonly file?: string;
  readonly format?: string;
  readonly readOnly?: boolean;
  /** The switch that the port is at, or the Linux bridge that the interface is a port of. */
  readonly bridge?: string;
  /** MAC address of the interface on the host, which is not the guest's. */
  readonly hostMac?: string;
  /** The kernel device behind it, where it is an instance's own. */
  readonly interface?: string;
  readonly ofPort?: number;
  readonly vlan?: number;
  /** What whoever plugged it in calls it: `iface-id` of libvirt, OpenStack and OVN, the pod of Antrea. */
  readonly ifaceId?: string;
  /** Of a block device: `major:minor`. */
  readonly number?: string;
}

/** An interface; one that has no name yet has an empty one. */
export type InterfaceKey = PartKey;

/** Key of a row of the sandbox table. */
export interface SandboxKey {
  readonly parent: Subject;
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const byParentAndName = (a: PartKey, b: PartKey): number => byText(a.parent.id, b.parent.id) || byText(a.name, b.name) || a.place - b.place;

/** vCPUs come and go while a VM runs: their names order them, whatever place they had when they came. */
const byParentAndNumber = (a: PartKey, b: PartKey): number => byText(a.parent.id, b.parent.id) || Number(a.name) - Number(b.name);

/** The tables of one agent: instances, and what points to them: interfaces, Kata sandboxes, the interfaces of a sandbox's namespace, parts. */
export class Tables {
  readonly instances = new Table<Subject>((a, b) => byText(a.id, b.id));
  readonly interfaces = new Table<InterfaceKey>(byParentAndName);
  readonly sandboxes = new Table<SandboxKey>((a, b) => byText(a.parent.id, b.parent.id));
  readonly sandboxInterfaces = new Table<InterfaceKey>(byParentAndName);
  readonly vcpus = new Table<PartKey>(byParentAndNumber);
  readonly disks = new Table<PartKey>(byParentAndName);
  readonly vnics = new Table<PartKey>(byParentAndName);
  readonly kvmExits = new Table<PartKey>(byParentAndName);
  readonly kvmEvents = new Table<PartKey>(byParentAndName);
  readonly switchPorts = new Table<PartKey>(byParentAndName);
  readonly cgroupDevices = new Table<PartKey>(byParentAndName);
  readonly tracedProcesses = new Table<PartKey>(byParentAndName);

  private readonly all = [this.instances, this.interfaces, this.sandboxes, this.sandboxInterfaces, ...PARTS.map((part) => this[part])];

  /** The columns of all tables. */
  get columns(): readonly Column[] {
    return this.all.flatMap(({ columns }) => columns);
  }

  begin(): void {
    for (const table of this.all) table.begin();
  }

  publish(): void {
    for (const table of this.all) table.publish();
  }
}
