// Words that schemas are made of, and cells as members.

export const ref = (name) => ({ $ref: `#/components/schemas/${name}` });
export const text = (description, rest = {}) => ({ type: 'string', description, ...rest });
export const maybe = (type, description, rest = {}) => ({ type: [type, 'null'], description, ...rest });
export const time = (description) => maybe('string', description, { format: 'date-time' });
/** All members are always there. */
export const object = (description, properties) => ({ type: 'object', description, required: Object.keys(properties), properties });

/** A cell as JSON prints it. Integers are exact to 2^53. */
export function number({ decimals, description, json, families, words }) {
  if (words) return maybe('string', description, { enum: [...words.list, null] });
  const type = decimals === 0 ? { type: ['integer', 'null'], format: 'int64' } : { type: ['number', 'null'], format: 'double' };
  const labels = families[0]?.labels;
  const which = labels ? ` (${Object.values(labels).join(', ')})` : '';
  if (description === '') throw new Error(`${json} has no description`);
  return { ...type, description: `${description}${which}` };
}

export const own = (columns) => columns.map(({ metric }) => metric).filter(({ json }) => json !== '' && !json.startsWith('collectors.'));
