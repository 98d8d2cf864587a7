import { describe, expect, it } from 'vitest';
import { linesOf, readShimText } from '../../../test/shim-reading.js';
import { dragonballText, goShimText } from '../../../test/shim-texts.js';
import type { PassedBody } from '../exposition/passed-family.js';
import { MAX_UNKNOWN_MERGED, mergeFamilies } from './merged-families.js';

/** Sandboxes s-0, s-1 … with these texts. */
const merge = (...texts: readonly string[]) => mergeFamilies(texts.map((text, index) => readShimText(text, { id: `s-${index}` })));
const shapes = (...texts: readonly string[]) =>
  merge(...texts).families.map(({ name, type, bodies }) => [name, type, bodies.map(({ owner }) => owner)]);
const linesIn = ({ lines }: PassedBody): number => lines.toString().split('\n').length - 1;
const typed = (name: string, type: string): string => `# HELP ${name} As ${type}.\n# TYPE ${name} ${type}\n${name} 1\n`;

describe('families of many sandboxes', () => {
  it('stand once each, by name, with the lines of each sandbox by its id', () => {
    const { families, conflicts } = mergeFamilies([
      readShimText(goShimText(1), { id: 'a' }),
      readShimText(goShimText(2), { id: 'b' }),
      readShimText(dragonballText(3), { id: 'c', runtime: 'rust' }),
    ]);
    const names = families.map(({ name }) => name);
    expect(names).toEqual([...new Set(names)].sort());
    expect(conflicts).toEqual(new Map());
    expect(families.find(({ name }) => name === 'kata_guest_meminfo')?.bodies.map(({ owner }) => owner)).toEqual(['a', 'b', 'c']);
    expect(families.find(({ name }) => name === 'kata_hypervisor_vcpu')?.bodies.map(({ owner }) => owner)).toEqual(['c']);
    expect(families.find(({ name }) => name === 'kata_shim_go_goroutines')?.bodies.map(({ owner }) => owner)).toEqual(['a', 'b']);
    const lines = linesOf(families);
    for (const id of ['a', 'b', 'c']) expect(lines.filter((line) => line.includes(`sandbox_id="${id}"`)).length).toBeGreaterThan(300);
    expect(new Set(lines.map((line) => line.slice(0, line.lastIndexOf(' ')))).size).toBe(lines.length);
  });

  it('are none where there are no sandboxes', () => {
    expect(mergeFamilies([])).toEqual({ families: [], conflicts: new Map() });
  });

  it('have the type that most sandboxes give, and the help that comes with it', () => {
    const [x, y] = [typed('kata_agent_x', 'gauge'), typed('kata_agent_x', 'counter')];
    expect(shapes(x, y, y)).toEqual([['kata_agent_x', 'counter', ['s-1', 's-2']]]);
    expect(merge(x, y, y).families[0].help).toBe('As counter.');
    expect(merge(x, y, y).conflicts).toEqual(new Map([['s-0', 1]]));
  });

  it('of the vocabulary cannot be taken from anybody', () => {
    const lie = typed('kata_guest_load', 'counter') + typed('kata_guest_load_count', 'gauge');
    const good = '# TYPE kata_guest_load gauge\nkata_guest_load{item="load1"} 1\n';
    expect(shapes(lie, lie, lie, good)).toContainEqual(['kata_guest_load', 'gauge', ['s-3']]);
    const rpc = 'kata_shim_rpc_durations_histogram_milliseconds';
    const histogram = `# TYPE ${rpc} histogram\n${rpc}_bucket{le="+Inf"} 1\n${rpc}_sum 1\n${rpc}_count 1\n`;
    expect(shapes(`${rpc}_count 7\n`, `${rpc}_bucket{le="1"} 7\n`, histogram)).toEqual([[rpc, 'histogram', ['s-2']]]);
  });

  it('whose samples would have the same name: the one that more sandboxes have', () => {
    const summary = '# TYPE kata_agent_x summary\nkata_agent_x_sum 1\nkata_agent_x_count 1\n';
    const gauge = typed('kata_agent_x_count', 'gauge');
    expect(shapes(gauge, summary, summary)).toEqual([['kata_agent_x', 'summary', ['s-1', 's-2']]]);
    expect(merge(gauge, summary, summary).conflicts).toEqual(new Map([['s-0', 1]]));
    expect(shapes(gauge, summary, gauge)).toEqual([['kata_agent_x_count', 'gauge', ['s-0', 's-2']]]);
    const total = typed('kata_agent_y_total', 'counter');
    expect(shapes(total, total, typed('kata_agent_y', 'gauge'))).toEqual([['kata_agent_y_total', 'counter', ['s-0', 's-1']]]);
  });

  it('of which nobody knows who is right are not passed on: a tie is nobody’s', () => {
    const [x, y] = [typed('kata_agent_x', 'gauge'), typed('kata_agent_x', 'counter')];
    const lost = (...ids: readonly string[]) => new Map(ids.map((id) => [id, 1]));
    expect(merge(y, x)).toEqual({ families: [], conflicts: lost('s-0', 's-1') });
    expect(merge(y, x, x, y, typed('kata_agent_x', 'untyped')).families).toEqual([]);
    expect(merge(typed('kata_agent_x_total', 'counter'), x)).toEqual({ families: [], conflicts: lost('s-0', 's-1') });
    const alone = typed('kata_agent_z', 'gauge');
    expect(shapes(x + alone, typed('kata_agent_x_total', 'counter'))).toEqual([['kata_agent_z', 'gauge', ['s-0']]]);
    const bystander = typed('kata_agent_x_created', 'gauge');
    expect(shapes(x, typed('kata_agent_x_total', 'counter'), bystander)).toEqual([]);
    expect(shapes(x, x, typed('kata_agent_x_total', 'counter'), bystander)).toEqual([
      ['kata_agent_x', 'gauge', ['s-0', 's-1']],
      ['kata_agent_x_created', 'gauge', ['s-3']],
    ]);
  });

  it('of the agent’s process are of the vocabulary: one sandbox cannot take them from another', () => {
    const cpu = 'kata_agent_process_cpu_seconds';
    const lie = typed(cpu, 'gauge') + typed('kata_agent_process_open_fds', 'counter');
    const good = typed(`${cpu}_total`, 'counter') + typed('kata_agent_process_open_fds', 'gauge');
    expect(shapes(lie, good)).toEqual([
      [`${cpu}_total`, 'counter', ['s-1']],
      ['kata_agent_process_open_fds', 'gauge', ['s-1']],
    ]);
  });

  it('beyond the vocabulary have a budget: those that most sandboxes have, then by name', () => {
    const strange = (sandbox: number): string => Array.from({ length: 64 }, (_, i) => `kata_agent_s${sandbox}_${i} 1\n`).join('');
    const shared = 'kata_agent_zz 1\n';
    const texts = Array.from({ length: 100 }, (_, s) => (s < 2 ? shared : '') + strange(s) + goShimText(s + 1));
    const read = texts.map((text, index) => readShimText(text, { id: `s-${index}` }));
    const { families, conflicts } = mergeFamilies(read);
    const unknown = families.filter(({ name }) => /^kata_agent_(s\d+_|zz)/.test(name)).map(({ name }) => name);
    expect(unknown).toHaveLength(MAX_UNKNOWN_MERGED);
    expect(unknown).toContain('kata_agent_zz');
    expect(families).toHaveLength(MAX_UNKNOWN_MERGED + readShimText(goShimText()).families.length);
    const passed = families.reduce((sum, { bodies }) => sum + bodies.reduce((lines, body) => lines + linesIn(body), 0), 0);
    const lost = [...conflicts.values()].reduce((sum, series) => sum + series, 0);
    expect(passed + lost).toBe(read.reduce((sum, { series }) => sum + series, 0));
  });

  it('lost twice over are counted once', () => {
    const odd = typed('kata_agent_x', 'summary').replace('kata_agent_x 1', 'kata_agent_x_sum 1\nkata_agent_x_count 1');
    const even = typed('kata_agent_x', 'histogram').replace('kata_agent_x 1', 'kata_agent_x_bucket{le="+Inf"} 1');
    const count = typed('kata_agent_x_count', 'gauge');
    const { families, conflicts } = merge(odd, even, even, count, count, count);
    expect(families.map(({ name }) => name)).toEqual(['kata_agent_x_count']);
    expect(conflicts).toEqual(
      new Map([
        ['s-0', 2],
        ['s-1', 1],
        ['s-2', 1],
      ]),
    );
  });
});
