// Tables and cells of Markdown.

const row = (cells) => `| ${cells.join(' | ')} |`;

/** @param rows cells that are Markdown already */
export const table = (head, rows) => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

export const code = (text) => `\`${text}\``;
export const codes = (words) => words.map(code).join(', ');

/** A sentence as a cell: outside code spans `*`, `_`, `<` and `|` are Markdown's. */
export const cell = (text) =>
  text
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith('`') ? part.replace(/\|/g, '\\|') : part.replace(/[*_<>|[\]]/g, '\\$&')))
    .join('')
    .replace(/\s*\n\s*/g, ' ');
