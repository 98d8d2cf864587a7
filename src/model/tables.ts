import type { Subject } from './collector.js';
import { Table } from './table.js';

/** Key of a row of the interface table. `place` keeps two interfaces apart that have no name. */
export interface InterfaceKey {
  readonly parent: Subject;
  readonly place: number;
  readonly name: string;
}

/** Key of a row of the sandbox table. */
export interface SandboxKey {
  readonly parent: Subject;
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const byParentAndName = (a: InterfaceKey, b: InterfaceKey): number =>
  byText(a.parent.id, b.parent.id) || byText(a.name, b.name) || a.place - b.place;

/** The tables of one agent: instances, and what points to them: interfaces, Kata sandboxes, the interfaces of a sandbox's namespace. */
export class Tables {
  readonly instances = new Table<Subject>((a, b) => byText(a.id, b.id));
  readonly interfaces = new Table<InterfaceKey>(byParentAndName);
  readonly sandboxes = new Table<SandboxKey>((a, b) => byText(a.parent.id, b.parent.id));
  readonly sandboxInterfaces = new Table<InterfaceKey>(byParentAndName);

  private readonly all = [this.instances, this.interfaces, this.sandboxes, this.sandboxInterfaces];

  begin(): void {
    for (const table of this.all) table.begin();
  }

  publish(): void {
    for (const table of this.all) table.publish();
  }
}
