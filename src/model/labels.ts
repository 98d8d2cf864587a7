/** Values that stand as they are, which almost all do: a quarter of the price of looking for each of the three. */
const PLAIN = /^[\w.:\-/ ]*$/;

/** One label, its value escaped: backslash, quote, newline. A value that is not well-formed Unicode would make the page unreadable. */
export const label = (name: string, value: string): string => `${name}="${PLAIN.test(value) ? value : escapeValue(value)}"`;

const escapeValue = (value: string): string => value.toWellFormed().replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');

export const labels = (pairs: Readonly<Record<string, string>>): string =>
  Object.entries(pairs)
    .map(([name, value]) => label(name, value))
    .join(',');

const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f\u2028\u2029]/g;

/** A stranger's text, fit to be a label or a name: cut, on one line, without control characters. */
export const oneLine = (text: string, limit: number): string => text.slice(0, limit).replace(CONTROL_CHARACTERS, '?').toWellFormed();
