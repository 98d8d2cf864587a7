/** Option values longer than this are not parsed: as if they held nothing. */
const MAX_LENGTH = 65_536;
const MAX_DEPTH = 6;
/** An item of a QEMU list: anything up to a comma that is not doubled. */
const QEMU_ITEM = /(?:[^,]|,,)+/g;

/** `key=value` pairs of one option. Nested JSON members have dotted keys and list items their index, as in QEMU's own keyval syntax. */
export type Properties = ReadonlyMap<string, string>;

/**
 * An option value of QEMU: `tap,id=net0,ifname=t0` with `,,` for a comma, or JSON (`{"type":"tap","fd":"31"}`).
 * @param implied key of a first item without `=`; elsewhere such an item is a switch and has the value `on`
 */
export function parseProperties(text: string, implied: string): Properties {
  if (text.length > MAX_LENGTH) return new Map();
  if (text.startsWith('{')) return parseJsonProperties(text);
  const items = (text.match(QEMU_ITEM) ?? []).map((item) => item.replaceAll(',,', ','));
  return pairs(items, implied);
}

/** An option value of Cloud Hypervisor: commas inside `[...]` and `"..."` do not separate (option_parser). */
export function parseBracketedProperties(text: string, implied: string): Properties {
  if (text.length > MAX_LENGTH) return new Map();
  const items: string[] = [];
  let depth = 0;
  let quoted = false;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '"') quoted = !quoted;
    else if (character === '[') depth++;
    else if (character === ']') depth--;
    else if (character === ',' && !quoted && depth === 0) {
      items.push(text.slice(start, i));
      start = i + 1;
    }
  }
  items.push(text.slice(start));
  return pairs(items, implied);
}

/** Empty where the text is no JSON object, or too long. */
export function parseJsonProperties(text: string): Properties {
  const properties = new Map<string, string>();
  if (text.length > MAX_LENGTH) return properties;
  try {
    flatten(JSON.parse(text), '', 0, properties);
  } catch {
    // Broken JSON says nothing.
  }
  return properties;
}

function pairs(items: readonly string[], implied: string): Properties {
  const properties = new Map<string, string>();
  items.forEach((item, place) => {
    const equals = item.indexOf('=');
    if (equals > 0) properties.set(item.slice(0, equals), item.slice(equals + 1));
    else if (equals < 0 && item !== '') properties.set(place === 0 ? implied : item, place === 0 ? item : 'on');
  });
  return properties;
}

function flatten(value: unknown, key: string, depth: number, into: Map<string, string>): void {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') into.set(key, String(value));
  if (typeof value !== 'object' || value === null || depth === MAX_DEPTH) return;
  const members: [string, unknown][] = Object.entries(value);
  for (const [name, member] of members) flatten(member, key === '' ? name : `${key}.${name}`, depth + 1, into);
}
