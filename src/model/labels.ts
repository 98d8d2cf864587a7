/** Values that stand as they are, which almost all do: a quarter of the price of looking for each of the three. */
const PLAIN = /^[\w.:\-/ ]*$/;

/** One label, its value escaped: backslash, quote, newline. A value that is not well-formed Unicode would make the page unreadable. */
export const label = (name: string, value: string): string => `${name}="${PLAIN.test(value) ? value : escapeValue(value)}"`;

const escapeValue = (value: string): string => value.toWellFormed().replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');

export const labels = (pairs: Readonly<Record<string, string>>): string =>
  Object.entries(pairs)
    .map(([name, value]) => label(name, value))
    .join(',');
