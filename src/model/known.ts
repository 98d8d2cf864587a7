/** The same record without the members that are undefined: a missing member says "not known", and another source's word may stand. */
export function known<T extends object>(record: T): T {
  for (const [key, value] of Object.entries(record)) if (value === undefined) Reflect.deleteProperty(record, key);
  return record;
}
