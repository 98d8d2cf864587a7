import type { Subject } from '../../model/collector.js';
import type { Column } from '../../model/table.js';
import type { Tables } from '../../model/tables.js';
import { eachInterface, type InterfaceLine, NET_DEV_ITEMS, parseItems } from './net-dev-items.js';

/** A pod has three or four; a bound for what a namespace full of them can cost. */
export const MAX_INTERFACES = 64;

interface Interface {
  readonly name: Buffer;
  readonly text: string;
  readonly row: number;
  pass: number;
}

const values = new Float64Array(NET_DEV_ITEMS.length);

/** Rows of one sandbox in the table of its interfaces. The interface of a line is remembered by the line's place and checked by its name. */
export class InterfaceRows {
  private readonly known = new Map<string, Interface>();
  private places: (Interface | undefined)[] = [];
  private pass = 0;

  constructor(
    private readonly tables: Tables,
    private readonly subject: Subject,
    private readonly columns: readonly Column[],
  ) {}

  /**
   * One pass over a table: rows for new interfaces, none for those that are not in it any more.
   * @returns how many got no row, or -1 for a text that is no table
   */
  update(table: Buffer, length: number): number {
    this.pass++;
    let place = 0;
    let dropped = 0;
    let malformed = false;
    const whole = eachInterface(table, length, (line) => {
      const found = this.at(place++, table, line);
      if (!found || found.pass === this.pass) dropped++;
      else if (parseItems(table, line, values)) this.put(found);
      else malformed = true;
    });
    // Every namespace has lo.
    if (!whole || malformed || place === 0) return -1;
    this.removeUnseen();
    return dropped;
  }

  clear(): void {
    for (const { row } of this.known.values()) this.tables.sandboxInterfaces.remove(row);
    this.known.clear();
    this.places = [];
  }

  private put(known: Interface): void {
    known.pass = this.pass;
    for (let item = 0; item < values.length; item++) this.columns[item].back[known.row] = values[item];
  }

  private at(place: number, table: Buffer, { start, colon }: InterfaceLine): Interface | undefined {
    const last = this.places[place];
    if (last && last.name.length === colon - start && table.compare(last.name, 0, last.name.length, start, colon) === 0) return last;
    const text = nameOf(table, start, colon);
    const found = this.known.get(text) ?? this.add(text, Buffer.from(table.subarray(start, colon)), place);
    this.places[place] = found;
    return found;
  }

  private add(text: string, name: Buffer, place: number): Interface | undefined {
    if (this.known.size >= MAX_INTERFACES) return undefined;
    const row = this.tables.sandboxInterfaces.add({ parent: this.subject, place, name: text });
    const added = { name, text, row, pass: 0 };
    this.known.set(text, added);
    return added;
  }

  private removeUnseen(): void {
    let removed = false;
    for (const { text, row, pass } of this.known.values()) {
      if (pass === this.pass) continue;
      this.tables.sandboxInterfaces.remove(row);
      this.known.delete(text);
      removed = true;
    }
    if (removed) this.places = [];
  }
}

/** Interface names are bytes; those that are no UTF-8 keep their bytes as characters, so that no two become one. */
function nameOf(table: Buffer, start: number, end: number): string {
  const text = table.toString('utf8', start, end);
  return text.includes('\ufffd') ? table.toString('latin1', start, end) : text;
}
