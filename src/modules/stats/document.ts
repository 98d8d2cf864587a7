import { FLOAT } from '../../model/metric.js';
import type { Column } from '../../model/table.js';

/** Which generation of the cells is read: `front` after a sweep, `back` for the closing sample inside one. */
export type Generation = 'front' | 'back';

interface Tree {
  [word: string]: Tree | Column;
}

const isColumn = (node: Tree | Column): node is Column => 'metric' in node;

/** A cell as a JSON number, or as the word it stands for; null for an empty one, or for a row that is not there. */
export function cell(column: Column, row: number, generation: Generation): string {
  const value = column[generation][row];
  if (value === undefined || !Number.isFinite(value)) return 'null';
  const { decimals, words } = column.metric;
  if (words !== undefined) return JSON.stringify(words.list[value] ?? null);
  return String(decimals === FLOAT || decimals === 0 ? value : value / 10 ** decimals);
}

/** Literal text and cells in turn: the compiled form of an object whose members are cells. */
export class CellTemplate {
  private readonly literals: string[] = [''];
  private readonly parts: (Column | CellTemplate)[] = [];

  text(literal: string): void {
    this.literals[this.literals.length - 1] += literal;
  }

  cell(column: Column): void {
    this.parts.push(column);
    this.literals.push('');
  }

  /** An object that is null where none of its cells is filled. */
  object(template: CellTemplate): void {
    this.parts.push(template);
    this.literals.push('');
  }

  render(row: number, generation: Generation): string {
    let json = this.literals[0];
    for (let i = 0; i < this.parts.length; i++) {
      const part = this.parts[i];
      json += (part instanceof CellTemplate ? part.orNull(row, generation) : cell(part, row, generation)) + this.literals[i + 1];
    }
    return json;
  }

  orNull(row: number, generation: Generation): string {
    return this.isFilled(row, generation) ? `{${this.render(row, generation)}}` : 'null';
  }

  /** Whether any of its cells holds something. */
  isFilled(row: number, generation: Generation): boolean {
    for (const part of this.parts) {
      const filled = part instanceof CellTemplate ? part.isFilled(row, generation) : Number.isFinite(part[generation][row]);
      if (filled) return true;
    }
    return false;
  }
}

const NONE: ReadonlySet<string> = new Set();

/**
 * The groups of the stats document (`cpu`, `memory`, …) as far as they are made of cells, from the places the metrics declare.
 * @param optional groups within groups (`memory.guest`) that are null where nothing of them is known; the others have nulls for members
 */
export function groupTemplates(columns: readonly Column[], optional = NONE): ReadonlyMap<string, CellTemplate> {
  const root: Tree = {};
  for (const column of columns) {
    for (const place of [column.metric.json, column.metric.alias ?? '']) if (place.includes('.')) insert(root, place.split('.'), column);
  }
  const templates = new Map<string, CellTemplate>();
  for (const [word, node] of Object.entries(root)) {
    if (isColumn(node)) continue;
    templates.set(word, templateOf(node, word, optional));
  }
  return templates;
}

/** Members of one group, those of the groups in it apart. @param place dotted */
export function memberTemplate(columns: readonly Column[], place: string): CellTemplate {
  const tree: Tree = {};
  for (const column of columns) {
    const { json } = column.metric;
    const word = json.slice(place.length + 1);
    if (json.startsWith(`${place}.`) && !word.includes('.')) tree[word] = column;
  }
  return templateOf(tree, place, NONE);
}

function insert(tree: Tree, path: readonly string[], column: Column): void {
  const [word, ...rest] = path;
  if (rest.length === 0) {
    tree[word] = column;
    return;
  }
  const below = tree[word] ?? {};
  if (isColumn(below)) throw new Error(`${column.metric.json}: ${word} is a value and a group`);
  tree[word] = below;
  insert(below, rest, column);
}

function templateOf(tree: Tree, place: string, optional: ReadonlySet<string>): CellTemplate {
  const template = new CellTemplate();
  members(tree, place, template, optional);
  return template;
}

function members(tree: Tree, place: string, template: CellTemplate, optional: ReadonlySet<string>): void {
  Object.entries(tree).forEach(([word, node], index) => {
    const below = `${place}.${word}`;
    template.text(`${index === 0 ? '' : ','}${JSON.stringify(word)}:`);
    if (isColumn(node)) template.cell(node);
    else if (optional.has(below)) template.object(templateOf(node, below, optional));
    else {
      template.text('{');
      members(node, below, template, optional);
      template.text('}');
    }
  });
}
