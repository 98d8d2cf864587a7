import { register } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseExposition } from '../../../test/exposition-parser.js';
import { FakeProc } from '../../../test/fake-proc.js';
import { House } from '../../../test/house.js';
import { passed, sandboxRecord, ToldSandboxes, ToldShims } from '../../../test/sandboxes.js';
import { Settings } from '../../model/settings.js';
import { ClientFamilies } from './client-families.js';
import { Exposition, type Selection } from './exposition.js';
import { OPEN_METRICS, TEXT } from './format.js';
import { SelfFamilies } from './self.js';

let proc: FakeProc;
let house: House;
let sandboxes: ToldSandboxes;
let shims: ToldShims;
let exposition: Exposition;
beforeEach(async () => {
  register.clear();
  proc = new FakeProc();
  house = new House(proc.host(), (tables) => {
    sandboxes = new ToldSandboxes(tables);
    return [sandboxes];
  });
  shims = new ToldShims();
  sandboxes.numbers.set('one', { threads: 12, cpu: 299, rss: 8192, switches: 5, openFds: 9, native: 4096, processCpu: 450 });
  sandboxes.numbers.set('two', { threads: 7 });
  sandboxes.interfaces.set('one', { lo: [0, 0], eth0: [100, 200] });
  sandboxes.interfaces.set('two', { eth0: [1, 2] });
  for (const pid of [7, 8, 9]) proc.addProcess(pid);
  house.told.records = [
    sandboxRecord('one', 7),
    sandboxRecord('two', 8, { sandbox: { vmmInShim: true } }),
    { id: 'vm', process: { pid: 9 } },
  ];
  await house.turn();
  exposition = make({});
});
afterEach(async () => {
  await house.close();
  proc.close();
});

function make(settings: Partial<Settings>): Exposition {
  const self = new SelfFamilies(house.registry, house.collection, house.discovery, house.host);
  const words = Object.assign(new Settings(), settings);
  return new Exposition(house.tables, house.collection, self, new ClientFamilies(), house.host, words, shims);
}

async function page(selection: Selection = {}, format = TEXT): Promise<string> {
  const { bytes, release } = await exposition.page(format, selection);
  const text = bytes.toString();
  release();
  return text;
}
/** The samples and heads of Kata's families, as they stand on the page. */
const lines = async (selection: Selection = {}, beginning = /^(# (HELP|TYPE) )?(kata_|go_|process_)/): Promise<string[]> =>
  (await page(selection)).split('\n').filter((line) => beginning.test(line));
const ONE = 'sandbox_id="one",cri_uid="uid-one",cri_name="pod-one",cri_namespace="shop"';
const TWO = 'sandbox_id="two",cri_uid="",cri_name="",cri_namespace=""';

describe('the page of all', () => {
  it('names sandboxes and their pods, and leaves out what is not known', async () => {
    expect((await lines()).filter((line) => !line.startsWith('#'))).toEqual([
      `kata_hypervisor_netdev{item="recv_bytes",interface="eth0",${ONE}} 100`,
      `kata_hypervisor_netdev{item="sent_bytes",interface="eth0",${ONE}} 200`,
      `kata_hypervisor_netdev{item="recv_bytes",interface="lo",${ONE}} 0`,
      `kata_hypervisor_netdev{item="sent_bytes",interface="lo",${ONE}} 0`,
      `kata_shim_fds{${ONE}} 9`,
      `kata_shim_netdev{item="recv_bytes",interface="eth0",${ONE}} 100`,
      `kata_shim_netdev{item="sent_bytes",interface="eth0",${ONE}} 200`,
      `kata_shim_netdev{item="recv_bytes",interface="lo",${ONE}} 0`,
      `kata_shim_netdev{item="sent_bytes",interface="lo",${ONE}} 0`,
      `kata_shim_netdev{item="recv_bytes",interface="eth0",${TWO}} 1`,
      `kata_shim_netdev{item="sent_bytes",interface="eth0",${TWO}} 2`,
      `kata_shim_proc_stat{item="utime",${ONE}} 299`,
      `kata_shim_proc_status{item="vmrss",${ONE}} 8192`,
      `kata_shim_proc_status{item="voluntary_ctxt_switches",${ONE}} 5`,
      `kata_shim_process_cpu_seconds_total{${ONE}} 4.5`,
      `kata_shim_process_open_fds{${ONE}} 9`,
      `kata_shim_threads{${ONE}} 12`,
      `kata_shim_threads{${TWO}} 7`,
    ]);
  });

  it('has no label of the pod, and KiB, where the settings say so', async () => {
    exposition = make({ kataCriLabels: false, kataProcStatusUnit: 'kib' });
    const text = await page();
    expect(text).toContain('kata_shim_proc_status{item="vmrss",sandbox_id="one"} 8\n');
    expect(text).toContain('kata_shim_proc_status{item="voluntary_ctxt_switches",sandbox_id="one"} 5\n');
    expect(text).toContain('kata_shim_threads{sandbox_id="two"} 7\n');
  });

  it('names the pod as soon as it is known', async () => {
    house.told.records = [sandboxRecord('two', 8)];
    await house.turn();
    expect(await lines({ families: ['kata_shim_threads'] }, /^kata/)).toEqual([
      'kata_shim_threads{sandbox_id="two",cri_uid="uid-two",cri_name="pod-two",cri_namespace="shop"} 7',
    ]);
  });

  it('of chosen sandboxes has their labels too', async () => {
    expect(await lines({ instances: new Set(['two']), families: ['kata_shim_threads'] })).toEqual([
      '# HELP kata_shim_threads Threads of the shim.',
      '# TYPE kata_shim_threads gauge',
      `kata_shim_threads{${TWO}} 7`,
    ]);
    expect(await lines({ instances: new Set(['vm']) })).toEqual([]);
  });
});

describe('what shims sent', () => {
  const histogram = (id: string, sum: number): string =>
    [
      '_bucket{action="start",le="1",sandbox_id="ID"} 0',
      '_bucket{action="start",le="+Inf",sandbox_id="ID"} 2',
      `_sum{action="start",sandbox_id="ID"} ${sum}`,
      '_count{action="start",sandbox_id="ID"} 2',
    ]
      .map((rest) => `kata_shim_rpc_durations_histogram_milliseconds${rest.replace('ID', id)}\n`)
      .join('');
  beforeEach(() => {
    shims.told = [
      passed('kata_agent_scrape_count', 'counter', { one: 'kata_agent_scrape_count{sandbox_id="one"} 3\n' }),
      passed('kata_guest_load', 'gauge', {
        one: 'kata_guest_load{item="load1",sandbox_id="one"} 0.25\n',
        two: 'kata_guest_load{item="load1",sandbox_id="two"} NaN\n',
      }),
      passed('kata_shim_rpc_durations_histogram_milliseconds', 'histogram', { one: histogram('one', 7), two: histogram('two', 9) }),
    ];
  });

  it('stands among the other families by name, byte for byte and in the order it came', async () => {
    const text = await page();
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(names).toEqual([...names].sort());
    for (const { bodies } of shims.told) expect(text).toContain(bodies.map(({ lines: body }) => body.toString()).join(''));
    expect(text).toContain(
      '# HELP kata_guest_load Help of kata_guest_load.\n# TYPE kata_guest_load gauge\nkata_guest_load{item="load1",sandbox_id="one"} 0.25\n',
    );
  });

  it('is readable in OpenMetrics, where a counter without _total is unknown', async () => {
    const families = new Map(parseExposition(await page({}, OPEN_METRICS), 'openmetrics').map((family) => [family.name, family]));
    expect(families.get('kata_agent_scrape_count')?.type).toBe('unknown');
    expect(families.get('kata_shim_rpc_durations_histogram_milliseconds')).toMatchObject({ type: 'histogram', samples: { length: 8 } });
  });

  it('is of the chosen sandboxes only', async () => {
    const text = await page({ instances: new Set(['two']) });
    expect(text).toContain('kata_guest_load{item="load1",sandbox_id="two"} NaN\n');
    expect(text).not.toContain('sandbox_id="one"');
    expect(text).not.toContain('kata_agent_scrape_count');
  });

  it('is one group, and its families can be picked by name', async () => {
    expect((await lines({ collect: ['shim_socket'] }, /^# TYPE/)).map((line) => line.split(' ')[2])).toEqual(
      shims.told.map(({ name }) => name),
    );
    expect(await page({ exclude: ['shim_socket'] })).not.toMatch(/kata_agent|kata_guest|rpc_durations/);
    expect((await lines({ families: ['kata_guest', 'kata_shim_thr'] }, /^# TYPE/)).map((line) => line.split(' ')[2])).toEqual([
      'kata_guest_load',
      'kata_shim_threads',
    ]);
  });

  it('never gives a family of ours a second time, under any of its names', async () => {
    const spoilt = passed('kata_agent_scrape_count', 'counter', { one: 'kata_agent_scrape_count{sandbox_id="one"} 3\n' });
    const line = (name: string): string => `${name}{sandbox_id="one"} 666\n`;
    shims.told = [
      spoilt,
      passed('kata_shim_fds', 'gauge', { one: line('kata_shim_fds') }),
      passed('kata_shim_process_cpu_seconds', 'gauge', { one: line('kata_shim_process_cpu_seconds') }),
      passed('kata_shim_threads', 'histogram', { one: line('kata_shim_threads_sum') }),
      passed('vmgauge_sweeps_total', 'counter', { one: line('vmgauge_sweeps_total') }),
    ];
    for (const format of [TEXT, OPEN_METRICS]) {
      const text = await page({}, format);
      expect(text).toContain('kata_agent_scrape_count{');
      expect(text).not.toContain('666');
      parseExposition(text, format === TEXT ? 'text' : 'openmetrics');
    }
  });

  it('is copied in slices: a long page leaves others their turn', async () => {
    const line = `kata_guest_vm_stat{item="x",sandbox_id="one"} 1\n`;
    const body = line.repeat(200_000 / line.length);
    shims.told = ['a', 'b', 'c'].map((word) => passed(`kata_guest_${word}`, 'gauge', { one: body, two: body, vm: body }));
    proc.clock.monotonic = () => {
      proc.clock.ms += 2;
      return proc.clock.ms;
    };
    let turns = 0;
    let done = false;
    const turn = (): void => {
      turns++;
      if (!done) setImmediate(turn);
    };
    setImmediate(turn);
    await page({ collect: ['shim_socket'] });
    done = true;
    expect(turns).toBeGreaterThanOrEqual(9);
  });

  it('is taken anew when it changed', async () => {
    await page();
    shims.told = [passed('kata_guest_tasks', 'gauge', { one: 'kata_guest_tasks{sandbox_id="one"} 4\n' })];
    const text = await page();
    expect(text).toContain('kata_guest_tasks{sandbox_id="one"} 4\n');
    expect(text).not.toContain('kata_guest_load');
  });
});

describe('the page of one sandbox alone', () => {
  beforeEach(() => {
    shims.toldOwn.set('one', [
      passed('go_gc_duration_seconds', 'summary', {
        one: 'go_gc_duration_seconds{quantile="0"} 2.656e-05\ngo_gc_duration_seconds_sum 0.5\ngo_gc_duration_seconds_count 195\n',
      }),
      passed('go_goroutines', 'gauge', { one: 'go_goroutines 27\n' }),
      passed('process_open_fds', 'gauge', { one: 'process_open_fds 666\n' }),
      passed('kata_guest_load', 'gauge', { one: 'kata_guest_load{item="load1"} 0.25\n' }),
    ]);
  });

  it('has the shim’s own names and no label of ours, as kata-runtime prints it', async () => {
    expect(await lines({ alone: 'one' })).toEqual(
      `# HELP go_gc_duration_seconds Help of go_gc_duration_seconds.
# TYPE go_gc_duration_seconds summary
go_gc_duration_seconds{quantile="0"} 2.656e-05
go_gc_duration_seconds_sum 0.5
go_gc_duration_seconds_count 195
# HELP go_goroutines Help of go_goroutines.
# TYPE go_goroutines gauge
go_goroutines 27
# HELP kata_guest_load Help of kata_guest_load.
# TYPE kata_guest_load gauge
kata_guest_load{item="load1"} 0.25
# HELP kata_hypervisor_netdev The same.
# TYPE kata_hypervisor_netdev gauge
kata_hypervisor_netdev{interface="eth0",item="recv_bytes"} 100
kata_hypervisor_netdev{interface="eth0",item="sent_bytes"} 200
kata_hypervisor_netdev{interface="lo",item="recv_bytes"} 0
kata_hypervisor_netdev{interface="lo",item="sent_bytes"} 0
# HELP kata_shim_fds Descriptors of the shim.
# TYPE kata_shim_fds gauge
kata_shim_fds 9
# HELP kata_shim_netdev Interfaces of the sandbox.
# TYPE kata_shim_netdev gauge
kata_shim_netdev{interface="eth0",item="recv_bytes"} 100
kata_shim_netdev{interface="eth0",item="sent_bytes"} 200
kata_shim_netdev{interface="lo",item="recv_bytes"} 0
kata_shim_netdev{interface="lo",item="sent_bytes"} 0
# HELP kata_shim_proc_stat Ticks of the shim.
# TYPE kata_shim_proc_stat gauge
kata_shim_proc_stat{item="utime"} 299
# HELP kata_shim_proc_status Status of the shim.
# TYPE kata_shim_proc_status gauge
kata_shim_proc_status{item="vmrss"} 8192
kata_shim_proc_status{item="voluntary_ctxt_switches"} 5
# HELP kata_shim_threads Threads of the shim.
# TYPE kata_shim_threads gauge
kata_shim_threads 12
# HELP process_cpu_seconds_total CPU of the shim.
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 4.5
# HELP process_open_fds The same.
# TYPE process_open_fds gauge
process_open_fds 9`.split('\n'),
    );
  });

  it('is sorted by the names it prints, has each once, and is readable in both formats', async () => {
    for (const [format, name] of [
      [TEXT, 'text'],
      [OPEN_METRICS, 'openmetrics'],
    ] as const) {
      const families = parseExposition(await page({ alone: 'one' }, format), name).map((family) => family.name);
      expect(new Set(families).size).toBe(families.length);
      // Without the suffix that only one of the two formats shows.
      if (format === TEXT) expect(families).toEqual([...families].sort());
      expect(families).toContain('vmgauge_collector_success');
    }
  });

  it('has its other families as every instance, with our labels', async () => {
    const ours = (text: string): string[] => text.split('\n').filter((line) => /^vmgauge_.*(instance|sandbox)_id="one"/.test(line));
    const all = ours(await page());
    expect(all.length).toBeGreaterThan(3);
    expect(all).toContain(`vmgauge_shim_native_bytes{${ONE}} 4096`);
    expect(ours(await page({ alone: 'one' }))).toEqual(all);
  });

  it('of an instance that is no sandbox has nothing of Kata', async () => {
    expect(await lines({ alone: 'vm' })).toEqual([]);
    expect(await page({ alone: 'vm' })).toBe(await page({ instances: new Set(['vm']) }));
  });
});
