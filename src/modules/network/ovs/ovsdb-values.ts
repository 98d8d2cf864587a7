/**
 * Values of columns as ovsdb-server sends them (RFC 7047 section 5.1): an atom is bare, a UUID `["uuid", text]`, a set `["set", [atom, …]]` or
 * one atom alone, a map `["map", [[key, value], …]]`. Nothing here throws.
 */

/** How one column is read and changed. */
export interface Column<T> {
  /** The value of a column that a new row leaves out. */
  unset(): T;
  /** undefined for what has not the shape of the column, or has more members than anybody would give it. */
  decode(told: unknown): T | undefined;
  /**
   * Applies a change as `update2` tells it (ovsdb-server(7) section 4.1.14): of a set those members that one side alone has, of a map also the
   * new values of changed keys, of anything else the new value. The value of a new row is a change of `unset()`.
   * @returns old itself, changed, where it is a set or a map; undefined when it has too many members now
   */
  change(old: T, told: T): T | undefined;
}

/** The longest real value is a path of 108 bytes or a list of addresses. */
const VALUE_LIMIT = 4096;
/** `OpenFlow15`. */
const WORD_LIMIT = 64;
const MEMBER_LIMIT = 65_536;
const PAIR_LIMIT = 1024;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export const isUuid = (text: string): boolean => UUID.test(text);

/** Exactly one text, such as a name. */
export const TEXT: Column<string> = {
  unset: () => '',
  decode: (told) => {
    const atoms = atomsOf(told);
    return atoms?.length === 1 ? textOf(atoms[0]) : undefined;
  },
  change: (_, told) => told,
};

/** One text, or null for none. */
export const OPTIONAL_TEXT: Column<string | null> = {
  unset: () => null,
  decode: (told) => oneOrNone(told, textOf),
  change: (_, told) => told,
};

/** One whole number, or null for none; also for one that is not exact (beyond 2^53): nobody knows what it was. */
export const OPTIONAL_INTEGER: Column<number | null> = {
  unset: () => null,
  decode: (told) => {
    const number = oneOrNone(told, (atom) => (typeof atom === 'number' ? atom : undefined));
    return typeof number === 'number' && !Number.isSafeInteger(number) ? null : number;
  },
  change: (_, told) => told,
};

/** References to rows. */
export const UUIDS: Column<Set<string>> = setOf(uuidOf);
/** Words of a fixed choice. One beyond the limit is never in it. */
export const WORDS: Column<Set<string>> = setOf(textOf);

/** Texts by text. A pair with one beyond the limit is never in it, whatever it changes to and from. */
export const MAP: Column<Map<string, string>> = {
  unset: () => new Map(),
  decode: mapOf,
  change: (old, told) => {
    for (const [key, value] of told) {
      if (key.length > VALUE_LIMIT) continue;
      // A pair as it was says that it is gone, one that is too long that it is no longer what it was.
      if (old.get(key) === value || value.length > VALUE_LIMIT) old.delete(key);
      else old.set(key, value);
    }
    return old.size > PAIR_LIMIT ? undefined : old;
  },
};

function setOf(decode: (atom: unknown) => string | undefined): Column<Set<string>> {
  return {
    unset: () => new Set(),
    decode: (told) => {
      const atoms = atomsOf(told)?.map(decode);
      // Checked just here: none of them is undefined.
      return atoms?.every((atom) => atom !== undefined) ? new Set(atoms as string[]) : undefined;
    },
    change: (old, told) => {
      for (const member of told) if (member.length <= WORD_LIMIT && !old.delete(member)) old.add(member);
      return old.size > MEMBER_LIMIT ? undefined : old;
    },
  };
}

function mapOf(told: unknown): Map<string, string> | undefined {
  const pairs = tagged(told, 'map');
  if (pairs === undefined || pairs.length > PAIR_LIMIT) return undefined;
  const map = new Map<string, string>();
  for (const pair of pairs) {
    const [key, value] = Array.isArray(pair) && pair.length === 2 ? pair.map(textOf) : [];
    if (key === undefined || value === undefined) return undefined;
    map.set(key, value);
  }
  return map;
}

function oneOrNone<T>(told: unknown, decode: (atom: unknown) => T | undefined): T | null | undefined {
  const atoms = atomsOf(told);
  if (atoms === undefined || atoms.length > 1) return undefined;
  return atoms.length === 0 ? null : decode(atoms[0]);
}

/** Members of a set, or the one atom that stands for itself. */
function atomsOf(told: unknown): readonly unknown[] | undefined {
  const members = tagged(told, 'set');
  if (members !== undefined) return members.length > MEMBER_LIMIT ? undefined : members;
  return tagged(told, 'map') === undefined ? [told] : undefined;
}

function tagged(told: unknown, tag: 'set' | 'map'): readonly unknown[] | undefined {
  if (!Array.isArray(told) || told.length !== 2 || told[0] !== tag) return undefined;
  const members: unknown = told[1];
  return Array.isArray(members) ? members : undefined;
}

function textOf(atom: unknown): string | undefined {
  return typeof atom === 'string' ? atom : undefined;
}

function uuidOf(atom: unknown): string | undefined {
  if (!Array.isArray(atom) || atom.length !== 2 || atom[0] !== 'uuid') return undefined;
  const uuid: unknown = atom[1];
  return typeof uuid === 'string' && isUuid(uuid) ? uuid : undefined;
}
