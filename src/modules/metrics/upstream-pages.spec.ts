import { register } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseStrictly } from '../../../test/e2e/strict-exposition.js';
import { parseExposition } from '../../../test/exposition-parser.js';
import { FakeProc } from '../../../test/fake-proc.js';
import { House } from '../../../test/house.js';
import { passed, ToldShims } from '../../../test/sandboxes.js';
import { ToldUpstreams } from '../../../test/upstream-reading.js';
import type { HostCollector } from '../../model/host-collector.js';
import type { HostFamily } from '../../model/host-family.js';
import { Outcome } from '../../model/outcome.js';
import { HostCollection } from '../collection/host-collection.js';
import { ClientFamilies } from './client-families.js';
import { Exposition, type Selection } from './exposition.js';
import { OPEN_METRICS, TEXT } from './format.js';
import { SelfFamilies } from './self.js';

const hostFamily = (name: string, type: HostFamily['type'], yields?: true): HostFamily => ({
  name,
  type,
  help: `Ours: ${name}.`,
  samples: () => [{ labels: '', value: 4 }],
  ...(yields ? { yields } : {}),
});

/** Stands where conntrack and Open vSwitch stand. */
class ToldHost implements HostCollector {
  readonly about = { name: 'told_host', tier: 'sweep', reads: 'nothing', enabled: true } as const;
  told = [hostFamily('antrea_agent_local_pod_count', 'gauge', true), hostFamily('vmgauge_host_drops_total', 'counter')];

  read(): Outcome {
    return Outcome.ok;
  }

  families(): readonly HostFamily[] {
    return this.told;
  }
}

let proc: FakeProc;
let house: House;
let shims: ToldShims;
let ofHost: ToldHost;
let upstreams: ToldUpstreams;
let exposition: Exposition;
beforeEach(async () => {
  register.clear();
  proc = new FakeProc();
  house = new House(proc.host());
  shims = new ToldShims();
  ofHost = new ToldHost();
  upstreams = new ToldUpstreams(['a', 'b']);
  proc.addProcess(7, { userTicks: 100 });
  house.told.records = [{ id: 'one', process: { pid: 7 } }];
  await house.turn();
  exposition = make(upstreams);
});
afterEach(async () => {
  await house.close();
  proc.close();
});

function make(told?: ToldUpstreams): Exposition {
  const self = new SelfFamilies(house.registry, house.collection, house.discovery, house.host);
  const host = new HostCollection(
    [ofHost],
    () => true,
    house.host.clock,
    () => undefined,
  );
  return new Exposition(house.tables, house.collection, self, new ClientFamilies(), house.host, house.settings, shims, host, told);
}

async function page(selection: Selection = {}, format = TEXT): Promise<string> {
  const { bytes, release } = await exposition.page(format, selection);
  const text = bytes.toString();
  release();
  return text;
}
/** What stands of these families on the page of all. */
const lines = async (families: string, format = TEXT, selection: Selection = {}): Promise<string[]> =>
  (await page({ ...selection, families: families.split(' ') }, format)).split('\n').filter((line) => line !== '');
const typed = (name: string, type: string, value: string | number = 1): string =>
  `# HELP ${name} Theirs.\n# TYPE ${name} ${type}\n${name} ${value}\n`;
const histogram = (name: string, ...sum: readonly number[]): string =>
  `# TYPE ${name} histogram\n${sum.map((one, i) => `${name}_sum{i="${i}"} ${one}\n${name}_count{i="${i}"} 2\n${name}_bucket{i="${i}",le="+Inf"} 2\n`).join('')}`;

describe('a family of an upstream', () => {
  it('stands among ours by name, with its own type and help', async () => {
    upstreams.answer({ a: typed('antrea_x_count', 'counter'), b: typed('zz', 'untyped', 'NaN') });
    expect(await lines('antrea_x zz')).toEqual([
      '# HELP antrea_x_count Theirs.',
      '# TYPE antrea_x_count counter',
      'antrea_x_count{upstream="a"} 1',
      '# HELP zz Theirs.',
      '# TYPE zz untyped',
      'zz{upstream="b"} NaN',
    ]);
    const names = [...(await page()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(names).toEqual([...names].sort());
  });

  it('of a name and type that we have goes below our head, after our samples', async () => {
    const theirs = `${typed('vmgauge_vm_threads', 'gauge', 9)}${typed('vmgauge_sweeps_total', 'counter', 3)}${typed('vmgauge_host_drops_total', 'counter', 5)}`;
    upstreams.answer({ a: theirs, b: theirs.replaceAll('Theirs', 'Others') });
    for (const name of ['vmgauge_vm_threads', 'vmgauge_sweeps_total', 'vmgauge_host_drops_total']) {
      const [help, type, ours, ...rest] = await lines(name);
      expect([help.includes('Theirs'), type.startsWith('# TYPE'), ours.includes('upstream')]).toEqual([false, true, false]);
      expect(rest.map((line) => line.split(' ')[0])).toEqual([`${name}{upstream="a"}`, `${name}{upstream="b"}`]);
    }
    parseStrictly(await page(), 'text');
    parseStrictly(await page({}, OPEN_METRICS), 'openmetrics');
  });

  it('has our head where we have no sample', async () => {
    upstreams.answer({ a: typed('vmgauge_vm_swap_bytes', 'gauge') + typed('vmgauge_vm_balloon_bytes', 'gauge') });
    ofHost.told = [{ ...hostFamily('vmgauge_vm_balloon_bytes', 'gauge'), samples: () => [] }];
    expect(await lines('vmgauge_vm_balloon_bytes')).toEqual([
      '# HELP vmgauge_vm_balloon_bytes Ours: vmgauge_vm_balloon_bytes.',
      '# TYPE vmgauge_vm_balloon_bytes gauge',
      'vmgauge_vm_balloon_bytes{upstream="a"} 1',
    ]);
    parseStrictly(await page(), 'text');
  });

  it('goes below what shims say, too', async () => {
    shims.told = [passed('kata_guest_load', 'gauge', { one: 'kata_guest_load{sandbox_id="one"} 1\n' })];
    upstreams.answer({ a: typed('kata_guest_load', 'gauge', 2), b: typed('kata_guest_load', 'counter') });
    expect(await lines('kata_guest_load')).toEqual([
      '# HELP kata_guest_load Help of kata_guest_load.',
      '# TYPE kata_guest_load gauge',
      'kata_guest_load{sandbox_id="one"} 1',
      'kata_guest_load{upstream="a"} 2',
    ]);
  });

  it('of another type than ours, a shim’s or an earlier upstream’s is on no page, and counted', async () => {
    shims.told = [passed('kata_guest_load', 'gauge', { one: 'kata_guest_load{sandbox_id="one"} 1\n' })];
    upstreams.answer({
      a:
        ['vmgauge_vm_threads', 'vmgauge_sweeps_total', 'kata_guest_load'].map((name) => histogram(name, 1)).join('') + typed('ok', 'gauge'),
    });
    expect((await page()).match(/upstream="a"/g)).toHaveLength(1);
    expect(upstreams.losses.conflicts).toEqual(new Map([['a', 9]]));
  });

  it('whose samples would have the name of ours, or ours of theirs, is on no page', async () => {
    ofHost.told = [hostFamily('vmgauge_x_count', 'gauge'), hostFamily('vmgauge_y', 'histogram')];
    upstreams.answer({ a: histogram('vmgauge_x', 1), b: typed('vmgauge_y_sum', 'gauge') });
    expect(await page()).not.toContain('upstream=');
    expect(upstreams.losses.conflicts).toEqual(
      new Map([
        ['a', 3],
        ['b', 1],
      ]),
    );
  });

  it('that says `upstream` as ours do has only what another agent passed on: the rest would be ours', async () => {
    const name = 'vmgauge_upstream_up';
    const one = { ...hostFamily(name, 'gauge'), labelNames: ['upstream'], samples: () => [{ labels: 'upstream="a"', value: 1 }] };
    ofHost.told = [one];
    upstreams.answer({
      a: `# TYPE ${name} gauge\n${name} 0\n${name}{upstream="far"} 1\n${name}{x=",exported_upstream=\\""} 2\n`,
      // A label without a value is none to Prometheus.
      b: `# TYPE ${name} gauge\n${name}{upstream=""} 1\n`,
    });
    expect(await lines(name)).toEqual([
      expect.stringContaining('Ours'),
      `# TYPE ${name} gauge`,
      `${name}{upstream="a"} 1`,
      `${name}{exported_upstream="far",upstream="a"} 1`,
    ]);
    expect(upstreams.losses.conflicts).toEqual(
      new Map([
        ['a', 2],
        ['b', 1],
      ]),
    );
    parseStrictly(await page(), 'text');
  });

  it('comes back when nothing contradicts it any more', async () => {
    shims.told = [passed('x', 'gauge', { one: 'x{sandbox_id="one"} 1\n' })];
    upstreams.answer({ a: typed('x', 'counter') });
    expect(await lines('x')).toHaveLength(3);
    shims.told = [];
    expect(await lines('x')).toContain('x{upstream="a"} 1');
    expect(upstreams.losses.conflicts).toEqual(new Map());
  });
});

describe('a family of ours that gives way', () => {
  const name = 'antrea_agent_local_pod_count';

  it('is printed while no upstream has it, and not beside it', async () => {
    expect(await lines(name)).toContain(`${name} 4`);
    upstreams.answer({ a: typed(name, 'gauge', 17) });
    expect(await lines(name)).toEqual([`# HELP ${name} Theirs.`, `# TYPE ${name} gauge`, `${name}{upstream="a"} 17`]);
    upstreams.answer({ a: typed(name, 'counter', 18) });
    expect(await lines(name)).toContain(`${name}{upstream="a"} 18`);
    upstreams.answer({});
    expect(await lines(name)).toContain(`${name} 4`);
  });

  it('is on a page that leaves upstreams out', async () => {
    upstreams.answer({ a: typed(name, 'gauge', 17) });
    expect(await lines(name, TEXT, { exclude: ['upstreams'] })).toContain(`${name} 4`);
  });
});

describe('a page of OpenMetrics', () => {
  const types = async (families: string): Promise<string[]> =>
    (await lines(families, OPEN_METRICS)).flatMap((line) => /^# TYPE (.*)/.exec(line)?.[1] ?? []);

  it('has a counter as unknown where its name there is another’s', async () => {
    upstreams.answer({
      a: typed('go_alloc_bytes', 'gauge') + typed('go_alloc_bytes_total', 'counter') + typed('go_frees_total', 'counter'),
    });
    expect(await types('go_')).toEqual(['go_alloc_bytes gauge', 'go_alloc_bytes_total unknown', 'go_frees counter']);
    expect((await lines('go_')).filter((line) => line.startsWith('# TYPE'))).toContain('# TYPE go_alloc_bytes_total counter');
    parseStrictly(await page({}, OPEN_METRICS), 'openmetrics');
    expect(upstreams.losses).toEqual({ conflicts: new Map(), textOnly: new Map() });
  });

  it('has none that take the name which ours has only there', async () => {
    upstreams.answer({ a: typed('vmgauge_sweeps', 'gauge') + histogram('qh', 1) + typed('qh_created', 'gauge') });
    expect(await lines('vmgauge_sweeps qh')).toEqual(
      expect.arrayContaining(['vmgauge_sweeps{upstream="a"} 1', 'qh_created{upstream="a"} 1']),
    );
    expect(await types('vmgauge_sweeps qh')).toEqual(['qh histogram', 'vmgauge_sweeps counter']);
    expect(upstreams.losses).toEqual({ conflicts: new Map(), textOnly: new Map([['a', 2]]) });
    parseStrictly(await page({}, OPEN_METRICS), 'openmetrics');
  });

  it('has of a histogram what it may have', async () => {
    upstreams.answer({ a: histogram('h', -1, 5), b: histogram('only', -1) });
    expect((await lines('h')).filter((line) => line.startsWith('h_sum'))).toEqual([
      'h_sum{i="1",upstream="a"} 5',
      'h_sum{i="0",upstream="a"} -1',
    ]);
    expect(await lines('only', OPEN_METRICS)).toEqual(['# EOF']);
    const open = await page({}, OPEN_METRICS);
    parseStrictly(open, 'openmetrics');
    expect(open).toContain('h_sum{i="1",upstream="a"} 5\n');
    expect(open).not.toContain('-1\n');
    expect(upstreams.losses.textOnly).toEqual(
      new Map([
        ['a', 3],
        ['b', 3],
      ]),
    );
    parseExposition(await page(), 'text');
  });
});

describe('a selection', () => {
  beforeEach(() => upstreams.answer({ a: typed('antrea_x', 'gauge') + typed('vmgauge_vm_threads', 'gauge') }));

  it('may have upstreams alone, or leave them out', async () => {
    expect(exposition.groups).toContain('upstreams');
    const alone = await page({ collect: ['upstreams'] });
    expect(alone.match(/^[a-z].*/gm)).toEqual(['antrea_x{upstream="a"} 1', 'vmgauge_vm_threads{upstream="a"} 1']);
    expect(await page({ exclude: ['upstreams'] })).not.toContain('upstream=');
  });

  it('of instances has nothing of them', async () => {
    expect(await page({ alone: 'one' })).not.toContain('upstream=');
    expect(await page({ instances: new Set(['one', 'a']) })).not.toContain('upstream=');
  });

  it('knows the group only where there are upstreams', () => {
    exposition = make(new ToldUpstreams([]));
    expect(exposition.groups).not.toContain('upstreams');
    exposition = make();
    expect(exposition.groups).not.toContain('upstreams');
  });
});

it('is made anew only when something changed, and two pages are the same', async () => {
  upstreams.answer({ a: histogram('h', -1, 5) + typed('vmgauge_sweeps_total', 'gauge'), b: typed('antrea_x', 'gauge', 'NaN') });
  const first = await page();
  let told = 0;
  upstreams.lost = () => {
    told++;
  };
  expect([await page(), await page({}, OPEN_METRICS)]).toEqual([first, await page({}, OPEN_METRICS)]);
  expect(told).toBe(0);
  upstreams.answer({ a: typed('x', 'gauge') });
  await page();
  expect(told).toBe(1);
});
