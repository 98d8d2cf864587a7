/** Classes of bytes in the text format, one bit each. Every class is empty at the newline, so that no scan leaves its line. */
export const Is = { nameStart: 1, name: 2, labelStart: 4, label: 8, digit: 16, blank: 32, value: 64 } as const;

export const Byte = {
  tab: 9,
  newline: 10,
  carriageReturn: 13,
  blank: 32,
  quote: 34,
  hash: 35,
  plus: 43,
  comma: 44,
  minus: 45,
  dot: 46,
  colon: 58,
  equals: 61,
  upperE: 69,
  backslash: 92,
  underscore: 95,
  lowerE: 101,
  lowerN: 110,
  open: 123,
  close: 125,
} as const;

/** What a byte may be. Control characters are in no value: Prometheus' own reader ends at a NUL, and the whole page with it. */
export const CLASS: Readonly<Uint8Array> = Uint8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  let bits = 0;
  if (/[a-zA-Z_:]/.test(character)) bits |= Is.nameStart;
  if (/[a-zA-Z0-9_:]/.test(character)) bits |= Is.name;
  if (/[a-zA-Z_]/.test(character)) bits |= Is.labelStart;
  if (/[a-zA-Z0-9_]/.test(character)) bits |= Is.label;
  if (/[0-9]/.test(character)) bits |= Is.digit;
  if (byte === Byte.blank || byte === Byte.tab) bits |= Is.blank;
  if ((byte >= 32 || byte === Byte.tab) && byte !== Byte.quote && byte !== Byte.backslash) bits |= Is.value;
  return bits;
});
