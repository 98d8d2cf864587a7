// Examples are golden files: answers that the tests compare byte by byte.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of a page of many families the first ones are enough to see the format. */
const TEXT_LINES = 24;

/** @returns undefined where the file is not there @param golden directory of golden files */
export function exampleOf(golden, name, contentType) {
  const path = join(golden, name);
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, 'utf8');
  return contentType === 'application/json' ? JSON.parse(text) : headOf(text);
}

/** Whole families only. */
function headOf(text) {
  const lines = text.split('\n');
  if (lines.length <= TEXT_LINES) return text;
  let end = TEXT_LINES;
  while (end > 0 && !lines[end].startsWith('# HELP ')) end--;
  return `${lines.slice(0, end).join('\n')}\n`;
}
