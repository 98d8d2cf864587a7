import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TRACING_BLOCKS } from '../../src/model/settings.js';
import { Belongings } from './belongings.js';
import { Child } from './child.js';
import { BASICS, compiler, describeWith, iproute, program, tun } from './needs.js';
import { freshInterfaceName, NetworkNamespace } from './network-namespace.js';
import { ScriptRun } from './script-run.js';
import { StandIn } from './stand-in.js';
import { tracefs } from './tracefs.js';

// The test: root for bpftrace, CAP_SYS_ADMIN for namespaces, CAP_NET_ADMIN for a tap. One bpftrace for all tests: each start costs a second.
describeWith('the script of the kernel side', [...BASICS, compiler, iproute, tun, program('bpftrace', 'bpftrace'), tracefs], () => {
  const belongings = new Belongings();
  let namespace: NetworkNamespace;
  let directory: string;
  let load: string;
  let run: ScriptRun;
  let lastKey = 0;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'vmgauge-tracing-'));
    belongings.own(() => rmSync(directory, { recursive: true, force: true }));
    load = join(directory, 'known-load');
    execFileSync('gcc', ['-O1', '-pthread', '-o', load, join(import.meta.dirname, 'known-load.c')], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    namespace = new NetworkNamespace(belongings);
    const server = await Child.start([...namespace.entrance, load, 'server']);
    belongings.own(() => server.kill());
    await server.lineThat(/^ready$/);
    run = await ScriptRun.start(belongings, TRACING_BLOCKS, join(directory, 'script.bt'));
  });
  afterAll(() => belongings.release());

  const start = (): Promise<StandIn> => StandIn.start(belongings, [...namespace.entrance, load]);
  const enrolled = async (): Promise<{ process: StandIn; key: number }> => {
    const process = await start();
    const key = ++lastKey;
    run.enrol(process.pid, key);
    return { process, key };
  };
  const after = async (process: StandIn, ...orders: readonly string[]): Promise<void> => {
    for (const order of orders) await process.tell(order);
    await run.settle();
  };
  const file = (name: string): string => join(directory, name);

  /** A test of exact numbers. It begins anew when it failed and the kernel says that it left something out meanwhile, and only then. */
  const exactly = (title: string, body: () => Promise<void>): void =>
    it(title, async () => {
      for (;;) {
        const before = run.misses();
        try {
          return await body();
        } catch (error) {
          if (run.misses() === before) throw error;
        }
      }
    });

  it('is on with all blocks where the kernel has what they need', () => {
    expect(run.blocks).toEqual(Object.fromEntries(TRACING_BLOCKS.map((block) => [block, null])));
  });

  exactly('counts calls on files and their bytes exactly', async () => {
    const { process, key } = await enrolled();
    await after(process, `write ${file('a')} 241 4096`, `read ${file('a')} 240 4096`, `sync ${file('a')} 7`);
    expect(['0', '1', '2'].map((operation) => run.count('fs', `${key},${operation}`))).toEqual([240, 241, 7]);
    expect(['0', '1', '2'].map((operation) => run.amount('fs_bytes', `${key},${operation}`))).toEqual([983_040, 987_136, undefined]);
    for (const operation of [0, 1, 2]) {
      const [sum, last] = [run.amount('fs_sum', `${key},${operation}`), run.amount('fs_last', `${key},${operation}`)];
      expect(last).toBeGreaterThan(0);
      expect(sum).toBeGreaterThan(Number(last));
    }
  });

  exactly('counts plain reads and writes of files, and none of an eventfd or of the pipes it gets its orders by', async () => {
    const { process, key } = await enrolled();
    await after(process, `plain ${file('b')} 50 1000`);
    expect([run.count('fs', `${key},0`), run.count('fs', `${key},1`)]).toEqual([50, 50]);
    expect([run.amount('fs_bytes', `${key},0`), run.amount('fs_bytes', `${key},1`)]).toEqual([50_000, 50_000]);
  });

  exactly('counts requests of io_uring to files', async () => {
    const { process, key } = await enrolled();
    await after(process, `uring ${file('c')} 30 512`);
    expect([0, 1, 2].map((operation) => run.count('fs', `${key},${operation}`))).toEqual([30, 30, 30]);
    expect([0, 1, 2].map((operation) => run.amount('fs_bytes', `${key},${operation}`))).toEqual([15_360, 15_360, undefined]);
  });

  exactly('counts bytes of TCP and UDP once, whatever was peeked at or not there', async () => {
    const { process, key } = await enrolled();
    await after(process, 'tcp 20 5000', 'udp 10 700');
    expect([run.amount('net', `${key},1`), run.amount('net', `${key},0`)]).toEqual([107_000, 107_000]);
  });

  exactly('times connections, counts those that are refused, and sees round-trip times of the socket', async () => {
    const { process, key } = await enrolled();
    await after(process, 'connect 12 7000', 'connect 5 7002', 'tcp 20 5000');
    expect(run.count('connect', String(key))).toBe(13);
    expect(run.amount('connect_errors', String(key))).toBe(5);
    expect(run.count('rtt', String(key))).toBeGreaterThanOrEqual(20);
    expect(run.amount('rtt_last', String(key))).toBeGreaterThan(0);
    expect(Number(run.amount('rtt_last', String(key))) % 1000).toBe(0);
  });

  for (const [what, way, answers] of [
    ['of a connected socket', 0, 6],
    ['with an address', 1, 6],
    ['with an address in a message', 2, 6],
    ['asked two at once', 3, 12],
    ['that nobody waits for', 4, 0],
  ] as const) {
    exactly(`times lookups ${what}`, async () => {
      const { process, key } = await enrolled();
      await after(process, `dns 6 ${way}`);
      expect(run.count('dns', String(key))).toBe(answers);
      // The server thinks for 5 ms: (2^11 - 1) × 3125 ns is more than that, (2^10) × 3125 ns less.
      for (const { max, count } of run.buckets('dns', String(key))) if (count > 0) expect(max).toBeGreaterThanOrEqual(2047);
      if (answers > 0) expect(run.amount('dns_sum', String(key))).toBeGreaterThanOrEqual(answers * 5_000_000);
    });
  }

  exactly('does not take what is not asked of port 53 for a lookup', async () => {
    const { process, key } = await enrolled();
    await after(process, 'udp 10 100');
    expect(run.count('dns', String(key))).toBe(0);
  });

  exactly('times how long a thread is off the CPU, and waits for it', async () => {
    const { process, key } = await enrolled();
    await after(process, 'sleep 25 20');
    // 20 ms and longer: from bucket 2^12 - 1 (12.8 ms) upward.
    const long = run.buckets('cpu_block', String(key)).filter(({ max }) => max >= 8191);
    expect(long.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThanOrEqual(25);
    expect(run.amount('cpu_block_sum', String(key))).toBeGreaterThanOrEqual(25 * 20_000_000);
    expect(run.count('run_queue', String(key))).toBeGreaterThanOrEqual(25);
    expect(Number(run.amount('run_queue_sum', String(key)))).toBeLessThan(Number(run.amount('cpu_block_sum', String(key))));
  });

  exactly('counts the first wait of new threads', async () => {
    const { process, key } = await enrolled();
    await after(process, 'threads 200');
    expect(run.count('run_queue', String(key))).toBeGreaterThanOrEqual(200);
    expect(run.count('cpu_block', String(key))).toBeGreaterThanOrEqual(200);
  });

  exactly('counts nothing of a process that is not enrolled, or no longer', async () => {
    const [stranger, { process, key }] = [await start(), await enrolled()];
    run.withdraw(process.pid);
    const everything = [
      'threads 3',
      'connect 3 7000',
      'tcp 3 100',
      'dns 3 0',
      'dns 3 1',
      `write ${file('d')} 9 512`,
      `uring ${file('d')} 3 512`,
    ];
    // What withdrew slept at that moment, waiting for its orders: it is told of, once.
    await after(process, 'sleep 1 1');
    const before = ['cpu_block', 'run_queue'].map((map) => run.count(map, String(key)));
    await after(stranger, ...everything);
    await after(process, ...everything);
    expect(['cpu_block', 'run_queue'].map((map) => run.count(map, String(key)))).toEqual(before);
    expect(run.mapsWith(key).filter((map) => !/^(?:cpu_block|run_queue)/.test(map))).toEqual([]);
    expect(run.mapsWith(0)).toEqual([]);
    expect([run.amount('vm', String(stranger.pid)), run.amount('vm', String(process.pid))]).toEqual([undefined, undefined]);
  });

  exactly('forgets a process that ends, so that another with its number adds to nobody', async () => {
    const { process, key } = await enrolled();
    await after(process, `write ${file('e')} 3 512`);
    expect(run.amount('vm', String(process.pid))).toBe(key);
    await process.child.kill();
    await run.settle();
    expect(run.amount('vm', String(process.pid))).toBeUndefined();
    const counts = (): unknown[] => [
      ...['cpu_block', 'run_queue'].map((map) => run.count(map, String(key))),
      run.amount('fs_bytes', `${key},1`),
    ];
    const before = counts();
    const successor = await StandIn.start(belongings, [...namespace.entrance, load, 'at', String(process.pid)]);
    expect(successor.pid).toBe(process.pid);
    await after(successor, `write ${file('e')} 9 512`, 'sleep 3 1', 'connect 3 7000', 'dns 2 1');
    expect(counts()).toEqual(before);
    expect(run.amount('vm', String(process.pid))).toBeUndefined();
  });

  exactly('forgets a thread that ends, so that a process with its number adds nothing', async () => {
    const { process, key } = await enrolled();
    const [thread] = await process.tell('threads 1');
    await run.settle();
    const counts = (): number[] => ['cpu_block', 'run_queue'].map((map) => run.count(map, String(key)));
    const before = counts();
    const successor = await StandIn.start(belongings, [...namespace.entrance, load, 'at', String(thread)]);
    expect(successor.pid).toBe(thread);
    await after(successor, 'sleep 3 1');
    expect(counts()).toEqual(before);
  });

  exactly('tells who is enrolled, under the key that was rung last', async () => {
    const { process, key } = await enrolled();
    run.enrol(process.pid, ++lastKey);
    await after(process, `write ${file('f')} 5 512`);
    expect(run.amount('vm', String(process.pid))).toBe(lastKey);
    expect([run.count('fs', `${key},1`), run.count('fs', `${lastKey},1`)]).toEqual([0, 5]);
  });

  exactly('sees the lookups of a guest on its tap, IPv4 and IPv6, and of no other tap', async () => {
    const guests = await Promise.all([start(), start()]);
    const keys = [++lastKey, ++lastKey];
    const names = [freshInterfaceName(), freshInterfaceName()];
    for (const [i, guest] of guests.entries()) await guest.tell(`tap ${names[i]}`);
    const [tap] = names;
    namespace.raise(tap, 1);
    namespace.run('sysctl', '-qw', `net.ipv6.conf.${tap}.disable_ipv6=0`);
    namespace.run('ip', 'address', 'add', 'fd00:0:0:0:0:0:0:1/64', 'dev', tap, 'nodad');
    const link = (what: string): string => namespace.run('cat', `/sys/class/net/${tap}/${what}`).trim();
    // The guest of known-load.c is at this address, and answers no neighbour solicitation.
    namespace.run('ip', 'neighbour', 'replace', 'fd00:0:0:0:0:0:0:2', 'lladdr', '02:00:00:00:00:01', 'dev', tap);
    const inode = statSync(namespace.path).ino;
    const index = (name: string): number => Number(namespace.run('cat', `/sys/class/net/${name}/ifindex`));
    names.forEach((name, i) => {
      run.enrolDevice(inode, index(name), keys[i]);
    });
    await after(guests[0], `guest ${link('address')} 9 0`, `guest ${link('address')} 4 1`);
    const device = `${inode % 2 ** 28},${index(tap)}`;
    for (const guest of guests) await guest.child.kill();
    expect(keys.map((key) => run.count('guest_dns', String(key)))).toEqual([13, 0]);
    expect(run.amount('guest_dns_sum', String(keys[0]))).toBeGreaterThanOrEqual(13 * 5_000_000);
    expect(run.amount('dev', device)).toBe(keys[0]);
  });

  it('never found a map full, or asked for what was not there', () => {
    expect(run.refusals).toEqual([]);
  });
});
