import { describe, expect, it } from 'vitest';
import { COMMANDS } from './commands.js';
import { documented } from './declarations.js';
import { commandHelp, configTable, helpText } from './help.js';

const known = {
  collectors: [
    { name: 'cpu', enabled: true, help: '`/proc/<pid>/stat`: CPU time' },
    { name: 'pss', enabled: false, help: '`/proc/<pid>/smaps_rollup`: proportional set size, a | b' },
  ],
  sources: [{ name: 'file', enabled: true, help: 'Instances that a file names.' }],
};

describe('--help', () => {
  it('is as recorded', async () => {
    await expect(helpText(known)).toMatchFileSnapshot('help.golden.txt');
  });

  it('is no wider than 100 columns and names every setting', () => {
    const text = helpText(known);
    expect(text.split('\n').filter((line) => line.length > 100)).toEqual([]);
    expect(documented(known).filter(({ key }) => !new RegExp(`^ {2}--(\\[no-\\])?${key}(=\\S+)?$`, 'm').test(text))).toEqual([]);
  });

  it('shows every default of a list', () => {
    expect(helpText(known)).toContain('/snap/lxd/*/bin/qemu-system-*\n');
  });
});

describe('<command> --help', () => {
  const answering = COMMANDS.filter(({ name }) => name !== 'serve');

  it('is as recorded', async () => {
    await expect(answering.map(({ name }) => commandHelp(name)).join('\n')).toMatchFileSnapshot('command-help.golden.txt');
  });

  it.each(answering)('of $name is no wider than 100 columns and names its operand and its flags', ({ name, operand, flags }) => {
    const text = commandHelp(name);
    expect(text.split('\n').filter((line) => line.length > 100)).toEqual([]);
    expect(text).toMatch(new RegExp(`^Usage: vmgauge ${name}\\b`));
    if (operand) expect(text).toMatch(new RegExp(`^ {2}${operand.placeholder}$`, 'm'));
    for (const { key } of flags) expect(text).toMatch(new RegExp(`^ {2}--${key}(=|$)`, 'm'));
  });

  it('stands in --help as well, with all commands', () => {
    for (const { name } of COMMANDS) expect(helpText(known)).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
  });
});

describe('the table for the README', () => {
  it('is as recorded', async () => {
    await expect(configTable(known)).toMatchFileSnapshot('config-table.golden.txt');
  });

  it('has a row of four cells for every setting', () => {
    const rows = configTable(known).trimEnd().split('\n').slice(2);
    expect(rows).toHaveLength(documented(known).length);
    for (const row of rows) expect(row.split(/(?<!\\)\|/)).toHaveLength(6);
  });
});
