import { describe, expect, it } from 'vitest';
import { counter, gauge, metric } from '../../model/metric.js';
import { Tables } from '../../model/tables.js';
import { declaredFamilies } from './family-lines.js';
import { OPEN_METRICS, TEXT } from './format.js';
import { KIB } from './page.js';

describe('declaredFamilies', () => {
  it('gathers the columns of a family, in the order of their labels', () => {
    const tables = new Tables();
    const family = counter({ name: 'a_seconds_total', help: 'A.', unit: 'seconds' });
    for (const mode of ['user', 'system']) tables.instances.column(metric({ json: mode, family, labels: { mode } }));
    tables.interfaces.column(metric({ json: 'b', family: gauge({ name: 'b', help: 'B.', identity: 'interface' }) }));
    const [a, b] = declaredFamilies(tables, [], false);
    expect(a.columns.map(({ prefix }) => prefix.toString())).toEqual(['a_seconds_total{mode="system",', 'a_seconds_total{mode="user",']);
    expect(a.columns.map(({ fixed }) => fixed)).toEqual(['mode="system"', 'mode="user"']);
    expect(b.columns.map(({ prefix, fixed }) => [prefix.toString(), fixed])).toEqual([['b{', '']]);
    expect(a.group).toBe('self');
    expect(a.head(TEXT).toString()).toBe('# HELP a_seconds_total A.\n# TYPE a_seconds_total counter\n');
    expect(a.head(OPEN_METRICS).toString()).toContain('# UNIT a_seconds seconds\n');
    expect(a.head(TEXT)).toBe(a.head(TEXT));
    expect([a.own, b.own]).toEqual([undefined, undefined]);
  });

  it('has a line for each word where cells stand for words', () => {
    const tables = new Tables();
    const family = gauge({ name: 'a_state', help: 'A.' });
    tables.instances.column(metric({ json: 'a.state', family, labels: { of: 'a' }, words: { label: 'state', list: ['on', 'o"ff'] } }));
    tables.instances.column(metric({ json: 'b', family: gauge({ name: 'b', help: 'B.' }) }));
    const [a, b] = declaredFamilies(tables, [], false).map(({ columns }) => columns[0].words?.map(String));
    expect([a, b]).toEqual([['a_state{of="a",state="on",', 'a_state{of="a",state="o\\"ff",'], undefined]);
  });

  it('gives families of Kata a name of their own, that of the shim', () => {
    const tables = new Tables();
    const names = [
      'kata_shim_process_open_fds',
      'kata_shim_go_threads',
      'kata_shim_fds',
      'kata_hypervisor_process_fds',
      'vmgauge_shim_threads',
    ];
    for (const name of names)
      tables.sandboxes.column(metric({ json: `shim.${name}`, family: gauge({ name, help: 'A.', identity: 'sandbox' }) }));
    const families = declaredFamilies(tables, [], false);
    expect(families.map(({ own }) => own?.name)).toEqual([
      'process_open_fds',
      'go_threads',
      'kata_shim_fds',
      'kata_hypervisor_process_fds',
      undefined,
    ]);
    expect(families[0].own?.head(TEXT).toString()).toBe('# HELP process_open_fds A.\n# TYPE process_open_fds gauge\n');
  });

  it('prints another unit than the document’s where a family has one, and KiB where they are asked for', () => {
    const family = gauge({ name: 'kata_shim_proc_stat', help: 'Ticks.', identity: 'sandbox' });
    const status = gauge({ name: 'kata_shim_proc_status', help: 'Bytes.', identity: 'sandbox' });
    const tables = new Tables();
    tables.sandboxes.column(metric({ json: 'shim.cpu', decimals: 2, also: [{ family, decimals: 0, labels: { item: 'utime' } }] }));
    tables.sandboxes.column(metric({ json: 'shim.rss', also: [{ family: status, kib: true, labels: { item: 'vmrss' } }] }));
    tables.sandboxes.column(metric({ json: 'shim.switches', also: [{ family: status, labels: { item: 'voluntary_ctxt_switches' } }] }));
    const decimals = (kib: boolean) => declaredFamilies(tables, [], kib).map(({ columns }) => columns.map((column) => column.decimals));
    expect(decimals(false)).toEqual([[0], [0, 0]]);
    expect(decimals(true)).toEqual([[0], [KIB, 0]]);
  });
});
