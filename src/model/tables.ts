import type { Subject } from './collector.js';
import { type Column, Table } from './table.js';

/** Key of a row of a table of parts: one of the many that an instance has of a kind. `place` keeps two apart that have no name. */
export interface PartKey {
  readonly parent: Subject;
  readonly place: number;
  readonly name: string;
}

/** An interface; one that has no name yet has an empty one. */
export type InterfaceKey = PartKey;

/**
 * Tables of what only the VMM tells apart. `vcpus`: named by their index. `disks` and `vnics`: by the VMM's own id of the device. `kvmExits`: by
 * what made the guest exit. `kvmEvents`: by what KVM counts besides.
 */
export const PARTS = ['vcpus', 'disks', 'vnics', 'kvmExits', 'kvmEvents'] as const;
export type Part = (typeof PARTS)[number];

/** Key of a row of the sandbox table. */
export interface SandboxKey {
  readonly parent: Subject;
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const byParentAndName = (a: PartKey, b: PartKey): number => byText(a.parent.id, b.parent.id) || byText(a.name, b.name) || a.place - b.place;

const byParentAndPlace = (a: PartKey, b: PartKey): number => byText(a.parent.id, b.parent.id) || a.place - b.place;

/** The tables of one agent: instances, and what points to them: interfaces, Kata sandboxes, the interfaces of a sandbox's namespace, parts. */
export class Tables {
  readonly instances = new Table<Subject>((a, b) => byText(a.id, b.id));
  readonly interfaces = new Table<InterfaceKey>(byParentAndName);
  readonly sandboxes = new Table<SandboxKey>((a, b) => byText(a.parent.id, b.parent.id));
  readonly sandboxInterfaces = new Table<InterfaceKey>(byParentAndName);
  readonly vcpus = new Table<PartKey>(byParentAndPlace);
  readonly disks = new Table<PartKey>(byParentAndName);
  readonly vnics = new Table<PartKey>(byParentAndName);
  readonly kvmExits = new Table<PartKey>(byParentAndName);
  readonly kvmEvents = new Table<PartKey>(byParentAndName);

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
