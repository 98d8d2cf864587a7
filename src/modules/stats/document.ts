import { FLOAT } from '../../model/metric.js';
import type { Column } from '../../model/table.js';

/** Which generation of the cells is read: `front` after a sweep, `back` for the closing sample inside one. */
export type Generation = 'front' | 'back';

interface Tree {
  [word: string]: Tree | Column;
}

const isColumn = (node: Tree | Column): node is Column => 'metric' in node;

/** A cell as a JSON number; null for an empty one, or for a row that is not there. */
export function cell(column: Column, row: number, generation: Generation): string {
  const value = column[generation][row];
  if (value === undefined || !Number.isFinite(value)) return 'null';
  const { decimals } = column.metric;
  return String(decimals === FLOAT || decimals === 0 ? value : value / 10 ** decimals);
}

/** Literal text and cells in turn: the compiled form of an object whose members are cells. */
export class CellTemplate {
  private readonly literals: string[] = [''];
  private readonly columns: Column[] = [];

  text(literal: string): void {
    this.literals[this.literals.length - 1] += literal;
  }

  cell(column: Column): void {
    this.columns.push(column);
    this.literals.push('');
  }

  render(row: number, generation: Generation): string {
    let json = this.literals[0];
    for (let i = 0; i < this.columns.length; i++) json += cell(this.columns[i], row, generation) + this.literals[i + 1];
    return json;
  }
}

/** The groups of the stats document (`cpu`, `memory`, …) as far as they are made of cells, from the places the metrics declare. */
export function groupTemplates(columns: readonly Column[]): ReadonlyMap<string, CellTemplate> {
  const root: Tree = {};
  for (const column of columns) {
    for (const place of [column.metric.json, column.metric.alias ?? '']) if (place.includes('.')) insert(root, place.split('.'), column);
  }
  const templates = new Map<string, CellTemplate>();
  for (const [word, node] of Object.entries(root)) {
    if (isColumn(node)) continue;
    const template = new CellTemplate();
    members(node, template);
    templates.set(word, template);
  }
  return templates;
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

function members(tree: Tree, template: CellTemplate): void {
  Object.entries(tree).forEach(([word, node], index) => {
    template.text(`${index === 0 ? '' : ','}${JSON.stringify(word)}:`);
    if (isColumn(node)) template.cell(node);
    else {
      template.text('{');
      members(node, template);
      template.text('}');
    }
  });
}
