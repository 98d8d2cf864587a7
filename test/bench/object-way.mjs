// kata-monitor's way with exposition text, in this language: parse every sample into objects, append labels, merge families by name, encode.
// Written to be quick: no regular expression for a sample, one pass over each line.

/** @returns families by name: name, help, type, samples of name, labels (name, value) and value */
export function parse(text) {
  const families = new Map();
  let family;
  for (let from = 0; from < text.length; ) {
    let end = text.indexOf('\n', from);
    if (end < 0) end = text.length;
    if (text[from] === '#') family = comment(families, text.slice(from, end), family);
    else if (end > from) sample(families, text, from, end, family);
    from = end + 1;
  }
  return families;
}

function familyOf(families, name) {
  let family = families.get(name);
  if (!family) {
    family = { name, help: '', type: 'untyped', samples: [] };
    families.set(name, family);
  }
  return family;
}

function comment(families, line, family) {
  const [, keyword, name, ...rest] = line.split(' ');
  if (keyword !== 'HELP' && keyword !== 'TYPE') return family;
  const named = familyOf(families, name);
  if (keyword === 'HELP') named.help = rest.join(' ');
  else named.type = rest[0];
  return named;
}

function sample(families, text, from, end, current) {
  let at = from;
  while (at < end && text[at] !== '{' && text[at] !== ' ') at++;
  const name = text.slice(from, at);
  const labels = [];
  if (text[at] === '{') at = labelsOf(text, at + 1, labels);
  const number = text.slice(at + 1, end);
  const value = number === '+Inf' ? Number.POSITIVE_INFINITY : number === '-Inf' ? Number.NEGATIVE_INFINITY : Number(number);
  const family = current !== undefined && name.startsWith(current.name) ? current : familyOf(families, name);
  family.samples.push({ name, labels, value });
}

/** @returns the place after `}` */
function labelsOf(text, from, labels) {
  let at = from;
  while (text[at] !== '}') {
    const equals = text.indexOf('=', at);
    let end = equals + 2;
    let isEscaped = false;
    while (text[end] !== '"') {
      if (text[end] === '\\') {
        isEscaped = true;
        end++;
      }
      end++;
    }
    const value = text.slice(equals + 2, end);
    labels.push({ name: text.slice(at, equals), value: isEscaped ? unescaped(value) : value });
    at = text[end + 1] === ',' ? end + 2 : end + 1;
  }
  return at + 1;
}

const unescaped = (value) => value.replace(/\\(.)/g, (_, letter) => (letter === 'n' ? '\n' : letter));
const escaped = (value) => (/["\\\n]/.test(value) ? value.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\n') : value);

/** @param sandboxes text and added labels (name, value) of each @returns the page, in bytes */
export function aggregate(sandboxes) {
  const merged = new Map();
  for (const { text, labels } of sandboxes) {
    for (const family of parse(text).values()) {
      if (family.name.startsWith('go_') || family.name.startsWith('process_')) rename(family);
      for (const sample of family.samples) sample.labels.push(...labels);
      const known = merged.get(family.name);
      if (known) for (const sample of family.samples) known.samples.push(sample);
      else merged.set(family.name, family);
    }
  }
  return Buffer.from(encode(merged));
}

function rename(family) {
  for (const sample of family.samples) sample.name = `kata_shim_${sample.name}`;
  family.name = `kata_shim_${family.name}`;
}

function encode(families) {
  let page = '';
  for (const { name, help, type, samples } of families.values()) {
    page += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    for (const sample of samples) {
      let labels = '';
      for (const { name, value } of sample.labels) labels += `${labels === '' ? '' : ','}${name}="${escaped(value)}"`;
      page += `${sample.name}{${labels}} ${numberText(sample.value)}\n`;
    }
  }
  return page;
}

const numberText = (value) => (Number.isFinite(value) ? String(value) : Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf');
