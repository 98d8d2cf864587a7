import { HostError } from '../../../host/host-error.js';
import { oneLine } from '../../../model/labels.js';
import type { OvsBridge, OvsDatabase, OvsInterface, OvsPort } from './database.js';
import { type Columns, fieldsOf, OvsdbRows, type RowOf } from './ovsdb-rows.js';
import { MAP, OPTIONAL_INTEGER, OPTIONAL_TEXT, TEXT, UUIDS, WORDS } from './ovsdb-values.js';

/**
 * The columns that are kept (ovs-vswitchd.conf.db(5)). `statistics` is not among them: ovs-vswitchd writes it every 5 s for each interface, and
 * OpenFlow tells it newer. Neither is `Open_vSwitch.bridges`: a bridge that nothing refers to is no row (RFC 7047 section 3.2).
 */
const SWITCH = { ovs_version: OPTIONAL_TEXT } satisfies Columns;
const BRIDGE = { name: TEXT, datapath_type: TEXT, protocols: WORDS, ports: UUIDS } satisfies Columns;
const PORT = { name: TEXT, tag: OPTIONAL_INTEGER, external_ids: MAP, interfaces: UUIDS } satisfies Columns;
const INTERFACE = {
  ...{ name: TEXT, type: TEXT, ofport: OPTIONAL_INTEGER, ifindex: OPTIONAL_INTEGER, mac_in_use: OPTIONAL_TEXT, link_state: OPTIONAL_TEXT },
  ...{ error: OPTIONAL_TEXT, external_ids: MAP, options: MAP },
} satisfies Columns;

/** `monitor_cond` of Open vSwitch 2.6 and later tells differences as `update2`, `monitor` of RFC 7047 whole rows as `update`. */
export type Dialect = 'update2' | 'update';

const TEXT_LIMIT = 256;
/** Of all rows together, roughly: some 100,000 interfaces as integrators fill them. */
const HELD_BYTES = 64 << 20;
/** References to rows that were dropped, or that the server has not told yet. */
const DANGLING = 4096;
const MAX_TAG = 4095;
const MAX_NUMBER = 0xffff_ffff;

/** What of the database a server told us, row by row; it follows what it tells next. */
export class OvsdbReplica {
  /** Rows and changes that were not taken: they did not decode, or passed a limit, or were of no row that we have. */
  dropped = 0;
  private readonly switches = new OvsdbRows(SWITCH);
  private readonly bridges = new OvsdbRows(BRIDGE);
  private readonly ports = new OvsdbRows(PORT);
  private readonly interfaces = new OvsdbRows(INTERFACE);
  private readonly tables = { Open_vSwitch: this.switches, Bridge: this.bridges, Port: this.ports, Interface: this.interfaces };
  private built: OvsDatabase | null = null;

  constructor(readonly dialect: Dialect) {}

  /** Tables and columns to ask for: `<monitor-requests>`, RFC 7047 section 4.1.5. */
  get requests(): Readonly<Record<string, readonly { readonly columns: readonly string[] }[]>> {
    return Object.fromEntries(Object.entries(this.tables).map(([name, { columns }]) => [name, [{ columns: Object.keys(columns) }]]));
  }

  /**
   * @param updates `<table-updates>` or `<table-updates2>`: first the whole, as the server answers it, then what it tells of changes
   * @returns whether anything is different now
   * @throws HostError EBADMSG where it has not the shape of updates, EFBIG when all rows together are more than is kept: the replica is of no
   * use then
   */
  take(updates: unknown): boolean {
    const tables = shaped(updates);
    let isChanged = false;
    for (const [name, rows] of Object.entries(this.tables)) {
      if (!Object.hasOwn(tables, name)) continue;
      for (const [uuid, update] of Object.entries(shaped(tables[name]))) {
        const isTaken = this.dialect === 'update2' ? takeDifference(rows, uuid, update) : takeWhole(rows, uuid, update);
        if (!isTaken) this.dropped++;
        // Also one that was not taken: the row may be lost by it.
        isChanged = true;
      }
    }
    if (Object.values(this.tables).reduce((sum, { weight }) => sum + weight, 0) > HELD_BYTES) {
      throw new HostError('EFBIG', `a database of more than ${HELD_BYTES} bytes`);
    }
    if (isChanged) this.built = null;
    return isChanged;
  }

  /** Bridges, ports and interfaces by name; the same object until something changed. */
  database(): OvsDatabase {
    this.built ??= this.build();
    return this.built;
  }

  private build(): OvsDatabase {
    const [version = null] = [...this.switches.all()].map((row) => row.ovs_version);
    const ports = new Claims(this.ports);
    const interfaces = new Claims(this.interfaces);
    const bridges = [...this.bridges.all()].map((row) => ({
      ...{ name: cut(row.name), datapathType: cut(row.datapath_type), protocols: [...row.protocols].sort() },
      ports: ports.of(row.ports, (port) => portOf(port, interfaces)).sort(byName),
    }));
    return { version: cutOrNull(version), bridges: namedOnce(bridges).sort(byName) };
  }
}

/**
 * Rows of one table that rows of another refer to. Each belongs to the first that does and no name is there twice, as a real database has it;
 * so that there are hardly more references than rows, and a liar's are not followed further.
 */
class Claims<C extends Columns> {
  private readonly claimed = new Set<string>();
  private readonly names = new Set<string>();
  private left: number;

  constructor(private readonly rows: OvsdbRows<C>) {
    this.left = rows.size + DANGLING;
  }

  of<T extends { readonly name: string }>(uuids: ReadonlySet<string>, make: (row: RowOf<C>) => T): T[] {
    const made: T[] = [];
    for (const uuid of uuids) {
      if (this.left-- <= 0) break;
      const row = this.claimed.has(uuid) ? undefined : this.rows.get(uuid);
      if (!row) continue;
      this.claimed.add(uuid);
      const one = make(row);
      if (this.names.has(one.name)) continue;
      this.names.add(one.name);
      made.push(one);
    }
    return made;
  }
}

const portOf = (row: RowOf<typeof PORT>, interfaces: Claims<typeof INTERFACE>): OvsPort => ({
  name: cut(row.name),
  tag: within(row.tag, 0, MAX_TAG),
  externalIds: externalIdsOf(row),
  interfaces: interfaces.of(row.interfaces, interfaceOf).sort(byName),
});

const namedOnce = (bridges: readonly OvsBridge[]): OvsBridge[] => [...new Map(bridges.map((bridge) => [bridge.name, bridge])).values()];

/** A `<row-update2>` has one member, which says what happened (ovsdb-server(7) section 4.1.14). @returns whether it was taken */
function takeDifference(rows: OvsdbRows<Columns>, uuid: string, update: unknown): boolean {
  const fields = fieldsOf(update) ?? {};
  if ('initial' in fields) return rows.put(uuid, fields.initial);
  if ('insert' in fields) return rows.put(uuid, fields.insert);
  if ('modify' in fields) return rows.change(uuid, fields.modify);
  return 'delete' in fields && rows.remove(uuid);
}

/** A `<row-update>` has `new` with all columns unless the row is gone, and `old` unless it is new (RFC 7047 section 4.1.6). */
function takeWhole(rows: OvsdbRows<Columns>, uuid: string, update: unknown): boolean {
  const fields = fieldsOf(update) ?? {};
  if ('new' in fields) return rows.put(uuid, fields.new);
  return 'old' in fields && rows.remove(uuid);
}

function shaped(value: unknown): Readonly<Record<string, unknown>> {
  const fields = fieldsOf(value);
  if (!fields) throw new HostError('EBADMSG', 'no updates of tables');
  return fields;
}

/** A row is another object after each change, so what was made of it holds: on most hosts one of a thousand changed. */
function once<R extends object, T>(make: (row: R) => T): (row: R) => T {
  const made = new WeakMap<R, T>();
  return (row) => {
    const value = made.get(row) ?? make(row);
    made.set(row, value);
    return value;
  };
}

const externalIdsOf = once((row: RowOf<typeof PORT>) => cutMap(row.external_ids));
const interfaceOf = once(
  (row: RowOf<typeof INTERFACE>): OvsInterface => ({
    name: cut(row.name),
    type: cut(row.type),
    ofPort: within(row.ofport, 1, MAX_NUMBER),
    ifIndex: within(row.ifindex, 1, MAX_NUMBER),
    mac: cutOrNull(row.mac_in_use),
    linkState: row.link_state === 'up' || row.link_state === 'down' ? row.link_state : null,
    error: cutOrNull(row.error),
    externalIds: cutMap(row.external_ids),
    options: cutMap(row.options),
  }),
);

const cut = (text: string): string => oneLine(text, TEXT_LIMIT);
const cutOrNull = (text: string | null): string | null => (text === null || text === '' ? null : cut(text));
const cutMap = (map: ReadonlyMap<string, string>): ReadonlyMap<string, string> =>
  new Map([...map].map(([key, value]) => [cut(key), cut(value)]));

const within = (number: number | null, least: number, most: number): number | null =>
  number !== null && number >= least && number <= most ? number : null;

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : Number(a.name > b.name));
