import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { promtoolComplaints, promtoolMissing } from '../e2e/promtool.js';
import { parseStrictly } from '../e2e/strict-exposition.js';
import { parseExposition } from '../exposition-parser.js';
import { answer, bytes, cut, drip, flood, RawSocket, type Reply, silence } from '../raw-socket.js';
import { AGENT_ACTIONS, dragonballText, goShimText, SHIM_ACTIONS } from '../shim-texts.js';
import { type RunningAgent, record, runAgent } from './agent.js';
import { Cleanup } from './cleanup.js';
import { embeddedAgent, type Kind, type Place, SandboxStandIn, socketOutcome } from './shims.js';
import { until } from './until.js';

const cleanup = new Cleanup();
const OPEN_METRICS = { accept: 'application/openmetrics-text; version=1.0.0' };
const GOOD = goShimText(7);
const FORGED = 'kata_agent_forged';
/** No number of anybody's. */
const LIE = '6.66e-66';

const MILLION = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => `${FORGED}{i="${i}"} 1\n`).join(''));

/** What a shim that is broken, or whose guest is hostile, may answer, and what comes of it. */
const BAD: Readonly<Record<string, readonly [Reply, string]>> = {
  'one-byte-a-second': [drip(GOOD, 1000), 'timeout'],
  silent: [silence, 'timeout'],
  'half-a-head': [bytes('HTTP/1.1 200 O'), 'timeout'],
  'error-with-metrics': [answer(GOOD, '500 Internal Server Error'), 'io_error'],
  redirect: [answer(GOOD, '301 Moved Permanently', { location: '/elsewhere' }), 'io_error'],
  gigabyte: [flood(Buffer.from(`${FORGED}{a="b"} 1\n`.repeat(2000)), { 'content-length': 1e9 }), 'too_large'],
  endless: [
    flood(Buffer.from(`8000\r\n${`${FORGED} 1\n`.repeat(1725).padEnd(0x8000, '\n').slice(0, 0x8000)}\r\n`), {
      'transfer-encoding': 'chunked',
    }),
    'too_large',
  ],
  'million-series': [answer(MILLION), 'too_large'],
  'closing-mid-answer': [cut('HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n', GOOD.slice(0, 5000)), 'io_error'],
  'closing-mid-chunk': [cut('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffff\r\n', GOOD.slice(0, 5000)), 'io_error'],
  'closing-at-once': [cut(), 'io_error'],
  'no-length': [cut('HTTP/1.1 200 OK\r\n\r\n', GOOD), 'malformed'],
  'garbage-headers': [cut('HTTP/1.1 200 OK\r\n\u0001\u0002: \u0003\r\n\r\n', GOOD), 'malformed'],
  'endless-headers': [bytes('HTTP/1.1 200 OK\r\n', ...Array.from({ length: 60 }, (_, i) => `x-${i}: ${'y'.repeat(900)}\r\n`)), 'malformed'],
  'no-http': [cut(GOOD), 'malformed'],
  'half-a-line': [answer(`${FORGED}{a="b"} 12`), 'malformed'],
  html: [answer('<html><body><h1>It works!</h1></body></html>\n'), 'malformed'],
  noise: [answer(Buffer.from(Array.from({ length: 50_000 }, (_, i) => (i * 167 + (i >> 3)) % 256))), 'malformed'],
};

const line = (name: string, labels: string, value: number | string = 1): string => `${name}${labels} ${value}\n`;
/** Good answers with something bad in them. */
const MIXED: Readonly<
  Record<string, { readonly text: string; readonly series: number; readonly dropped: Readonly<Record<string, number>> }>
> = {
  nan: { text: `kata_agent_x NaN\n# TYPE kata_agent_c counter\nkata_agent_c NaN\nkata_agent_i +Inf\n`, series: 2, dropped: { misfit: 1 } },
  'families-twice': {
    text: `# TYPE kata_agent_p gauge\nkata_agent_p{a="1"} 1\n# TYPE kata_agent_q gauge\nkata_agent_q 1\n# TYPE kata_agent_p counter\nkata_agent_p{a="1"} 5\nkata_agent_p{a="2"} 2\n`,
    series: 3,
    dropped: { duplicate: 1 },
  },
  injection: {
    text: [
      line('kata_agent_x', '{a="\\"} 1\\nkata_shim_threads{sandbox_id=\\"other"}'),
      line(FORGED, '{sandbox_id="other"}'),
      line(FORGED, '{a="b",cri_name="other"}'),
      line(FORGED, '{__name__="kata_shim_threads"}'),
      line(FORGED, '{a="b"} 1\nkata_shim_threads{sandbox_id="other"}', LIE),
      line(FORGED, '{a="b\u0000"}'),
      line('kata_shim_threads', '', LIE),
      line('vmgauge_build_info', '', LIE),
      line('up', '', LIE),
      `# TYPE kata_guest_load counter\nkata_guest_load ${LIE}\n`,
    ].join(''),
    // The first of the two lines that the fifth makes is a good one.
    series: 2,
    dropped: { label: 3, malformed: 1, ours: 2, foreign: 2, conflict: 1 },
  },
  'too-many': {
    text: Array.from({ length: 20_500 }, (_, i) => line('kata_guest_many', `{i="${i}"}`)).join(''),
    series: 20_000,
    dropped: { limit: 500 },
  },
  'cut-at-the-end': { text: 'kata_agent_x 1\nkata_agent_y 12', series: 1, dropped: { malformed: 1 } },
};

/** What may stand where a socket should. */
const NO_SOCKETS: Readonly<Record<string, (path: string) => void | Promise<void>>> = {
  fifo: (path) => void execFileSync('mkfifo', [path]),
  file: (path) => writeFileSync(path, GOOD),
  nothing: () => undefined,
  link: async (path) => {
    elsewhere = await RawSocket.listen(`${path}.real`, answer(GOOD));
    cleanup.add(() => elsewhere?.close());
    symlinkSync(`${path}.real`, path);
  },
};
let elsewhere: RawSocket | undefined;

const NEVER_ASKED: Readonly<Record<string, Kind>> = {
  'rust-qemu': { runtime: 'rust', hypervisor: 'qemu' },
  'rust-firecracker': { runtime: 'rust', hypervisor: 'firecracker' },
  unknown: { hypervisor: 'unknown' },
  'not-asked': { hypervisor: 'cloud-hypervisor' },
};

describe('shims behind their sockets', () => {
  let root: string;
  let agent: RunningAgent;
  let good: SandboxStandIn;
  let dragonball: SandboxStandIn;
  const sandboxes = new Map<string, SandboxStandIn>();

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'vmgauge-shims-'));
    cleanup.add(() => rmSync(root, { recursive: true, force: true }));
    const start = async (id: string, place: Place, kind?: Kind) => {
      const sandbox = await SandboxStandIn.start(cleanup, root, id, place, kind);
      sandboxes.set(id, sandbox);
      return sandbox;
    };
    good = await start('good', { reply: answer(GOOD) });
    dragonball = await start('good-dragonball', { reply: answer(dragonballText(8)) }, { runtime: 'rust', hypervisor: 'dragonball' });
    for (const [id, [reply]] of Object.entries(BAD)) await start(id, { reply });
    for (const [id, { text }] of Object.entries(MIXED)) await start(id, { reply: answer(text) });
    for (const [id, put] of Object.entries(NO_SOCKETS)) await start(id, { put });
    for (const [id, kind] of Object.entries(NEVER_ASKED)) await start(id, { reply: answer(GOOD) }, kind);
    agent = await embeddedAgent(cleanup, [...sandboxes.values()], {
      shimSocketRuntimes: ['go/qemu', 'rust/dragonball', 'rust/qemu', 'rust/firecracker', 'go/unknown', 'rust/*'],
      shimSocketIntervalMs: 1000,
    });
    for (const id of sandboxes.keys()) await socketOutcome(agent, id);
    for (const id of ['good', 'good-dragonball', ...Object.keys(MIXED)]) await answersWell(id);
  });

  /** A machine that stands still for a second makes any shim late. */
  const answersWell = (id: string) =>
    until(
      async () => ((await socketOutcome(agent, id)).outcome === 'ok' ? true : undefined),
      () => `a good answer of ${id}`,
    );
  const page = async (path = '/metrics', headers: Readonly<Record<string, string>> = {}): Promise<string> =>
    (await agent.get(path, headers)).text();
  const linesOf = async (id: string): Promise<string[]> =>
    (await page('/metrics?collect[]=shim_socket'))
      .split('\n')
      .filter((line) => line.includes(`sandbox_id="${id}"`) && line.startsWith('kata_'));
  const socketOf = async (id: string): Promise<Record<string, unknown>> =>
    record(record((await agent.json(`/instances/${id}/stats`)).shim).socket);

  it('are passed on whole, with every action of the RPC histograms', async () => {
    const lines = await linesOf('good');
    const ours = [
      'kata_shim_threads',
      'kata_shim_fds',
      'kata_shim_io_stat',
      'kata_shim_proc_',
      'kata_shim_pod_overhead',
      'kata_virtiofsd_',
      'kata_shim_process_',
    ];
    const isOurs = (name: string): boolean =>
      (ours.some((prefix) => name.startsWith(prefix)) && !name.startsWith('kata_shim_process_network')) ||
      /^kata_hypervisor_(threads|fds|io_stat|proc_|netdev)/.test(name);
    const sent = GOOD.split('\n')
      .filter((line) => /^[a-z]/.test(line))
      .map((line) => line.replace(/^(go_|process_)/, 'kata_shim_$1'))
      .filter((line) => !isOurs(line));
    const passed = lines.map((line) => line.replace(good.labels, '').replace(',}', '}').replace('{}', ''));
    expect(passed.sort()).toEqual(sent.sort());
    const actions = (family: string) =>
      new Set(lines.filter((line) => line.startsWith(`${family}_count`)).map((line) => /action="([^"]*)"/.exec(line)?.[1]));
    expect(actions('kata_shim_rpc_durations_histogram_milliseconds')).toEqual(new Set(SHIM_ACTIONS));
    expect(actions('kata_shim_agent_rpc_durations_histogram_milliseconds')).toEqual(new Set(AGENT_ACTIONS));
  });

  it('of runtime-rs with Dragonball give its own counters; its RPC histograms are not made up', async () => {
    const lines = await linesOf('good-dragonball');
    for (const item of ['exit_io_in', 'exit_io_out', 'exit_mmio_read', 'exit_mmio_write', 'failures', 'filter_cpuid'])
      expect(lines.filter((line) => line.startsWith(`kata_hypervisor_vcpu{cpu_id="0",item="${item}",${dragonball.labels}}`))).toHaveLength(
        1,
      );
    expect(lines.filter((line) => /^kata_hypervisor_(scrape_count|seccomp|signals)/.test(line))).toHaveLength(4);
    expect(lines.filter((line) => line.includes('rpc_durations'))).toEqual([]);
  });

  it.each(Object.entries(BAD).map(([id, [, reason]]) => [id, reason]))('%s is %s, and nothing of it is passed on', async (id, reason) => {
    expect(await socketOutcome(agent, id)).toMatchObject({ outcome: 'failed', reason });
    expect(await linesOf(id)).toEqual([]);
    expect(await socketOf(id)).toMatchObject({ series: null, age_seconds: null });
    expect(Number((await socketOf(id)).failures)).toBeGreaterThan(0);
  });

  it.each(Object.entries(MIXED))('%s costs its own lines alone', async (id, { series, dropped }) => {
    await answersWell(id);
    const socket = await socketOf(id);
    const counts = Object.entries(socket).filter(([word, count]) => word.startsWith('dropped_') && count !== 0);
    expect([socket.series, Object.fromEntries(counts.map(([word, count]) => [word.slice('dropped_'.length), count]))]).toEqual([
      series,
      dropped,
    ]);
    const lines = await linesOf(id);
    expect(lines).toHaveLength(series);
    expect(lines.filter((line) => line.endsWith(` ${LIE}`))).toEqual([]);
  });

  it.each([
    ['fifo', 'failed', 'io_error'],
    ['file', 'failed', 'io_error'],
    ['link', 'failed', 'io_error'],
    ['nothing', 'absent', 'gone'],
    ['rust-qemu', 'absent', 'unsupported'],
    ['rust-firecracker', 'absent', 'unsupported'],
    ['unknown', 'absent', 'unsupported'],
    ['not-asked', 'absent', 'not_configured'],
  ])('%s is %s, %s', async (id, outcome, reason) => {
    expect(await socketOutcome(agent, id)).toMatchObject({ outcome, reason });
    expect(await linesOf(id)).toEqual([]);
  });

  it('of runtime-rs with QEMU or Firecracker are never connected to, whatever the settings say', async () => {
    const before = good.socket?.accepted ?? Number.NaN;
    await until(
      () => (good.socket && good.socket.accepted > before + 2 ? true : undefined),
      () => 'three more questions to a good shim',
    );
    for (const id of ['rust-qemu', 'rust-firecracker', 'unknown', 'not-asked'])
      expect([id, sandboxes.get(id)?.socket?.accepted]).toEqual([id, 0]);
    expect(elsewhere?.accepted).toBe(0);
  });

  it('cannot be configured so by flags', async () => {
    const { code, stderr } = await runAgent(['--shim.socket-runtimes=go/qemu,rust/qemu', '--web.listen-address=127.0.0.1:0']);
    expect(code).not.toBe(0);
    expect(stderr).toContain('shim.socket-runtimes');
  });

  it('are asked ever less often when they do not answer', async () => {
    const bad = sandboxes.get('error-with-metrics')?.socket;
    const accepted = [good.socket?.accepted, bad?.accepted].map(Number);
    await until(
      () => (Number(good.socket?.accepted) > accepted[0] + 6 ? true : undefined),
      () => 'seven more questions to a good shim',
    );
    expect(Number(bad?.accepted) - accepted[1]).toBeLessThan(4);
  });

  it('make pages that are legal in both formats, with all of them at once', async () => {
    const text = await page();
    expect(parseExposition(text, 'text').length).toBeGreaterThan(100);
    parseStrictly(text.replace(/ NaN$/gm, ' 0'), 'text');
    const open = await page('/metrics', OPEN_METRICS);
    parseExposition(open, 'openmetrics');
    parseStrictly(open.replace(/ NaN$/gm, ' 0'), 'openmetrics');
    expect(text).not.toContain(` ${LIE}\n`);
    expect(text).not.toContain('sandbox_id="other"');
    if (promtoolMissing() === undefined) expect(promtoolComplaints(await page('/metrics?sandbox=good&sandbox=good-dragonball'))).toBe('');
  });

  it('are given alone as they said it', async () => {
    const alone = await page('/instances/good/metrics');
    parseExposition(alone, 'text');
    for (const word of [
      'go_goroutines ',
      'go_info{version="go1.24.6"} 1',
      'kata_agent_io_stat{item="rchar"} ',
      '# TYPE go_gc_duration_seconds summary',
    ])
      expect(alone).toContain(`\n${word}`);
    expect(alone).not.toMatch(/^kata_[^ ]*sandbox_id/m);
  });

  it('say how they are asked', async () => {
    const text = await page('/metrics');
    const value = (name: string, more = ''): number =>
      Number(new RegExp(`^${name}\\{${more}${good.labels}\\} (\\S+)$`, 'm').exec(text)?.[1]);
    expect(value('vmgauge_shim_socket_series')).toBe((await linesOf('good')).length);
    expect(value('vmgauge_shim_socket_answer_bytes')).toBe(GOOD.length);
    expect(value('vmgauge_shim_socket_failures_total')).toBe(0);
    expect(value('vmgauge_shim_socket_dropped_series', 'reason="ours",')).toBeGreaterThan(100);
    expect(value('vmgauge_shim_socket_dropped_series', 'reason="malformed",')).toBe(0);
    expect(Math.abs(value('vmgauge_shim_socket_last_success_timestamp_seconds') - Date.now() / 1000)).toBeLessThan(30);
    expect(value('vmgauge_shim_socket_question_seconds')).toBeLessThan(1.5);
  });

  it('keep nobody waiting: a page is made while shims hang', async () => {
    const slow = sandboxes.get('silent')?.socket;
    await until(
      () => (slow && slow.connections > 0 ? true : undefined),
      () => 'a question to the silent shim',
    );
    expect(await linesOf('good')).not.toEqual([]);
  });

  it('that end take what they said with them at once', async () => {
    expect(await linesOf('nan')).not.toEqual([]);
    const sandbox = sandboxes.get('nan');
    await sandbox?.shim.stop();
    await until(
      async () => ((await linesOf('nan')).length === 0 ? true : undefined),
      () => 'no series of a shim that ended',
    );
    expect(await socketOutcome(agent, 'nan')).toMatchObject({ outcome: 'absent', reason: 'gone' });
    expect(await linesOf('good')).not.toEqual([]);
  });
});
