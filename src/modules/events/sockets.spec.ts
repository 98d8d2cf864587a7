import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { errno, FakeProcess, recordedFiles } from '../../../test/fake-process.js';
import { until } from '../../../test/holding.js';
import { HostError } from '../../host/host-error.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { holdProcess, type ProcfsProcess } from '../procfs/held-process.js';
import { SocketsHostCollector } from './sockets.host-collector.js';
import { SocketsReader } from './sockets.js';
import type { Amount } from './words.js';

/** Where running a program comes to this, whatever it is. */
class Failing extends SocketsReader {
  code = '';
  protected override readonly run = () => Promise.reject(new HostError(this.code, 'a test’s own'));
}

const PID = 4242;
/** Of the same network namespace, as the agent is; a third is of another. */
const OTHER = 4343;
const ELSEWHERE = 4444;

const connection = (
  pids: readonly number[],
  sent: number,
  { received = 0, retrans = 0, port = 1, rtt = '0.5', lastack = 3 } = {},
): string =>
  `ESTAB 0 0 10.0.0.1:${port} 10.0.0.2:80 users:((${pids.map((pid) => `"qemu",pid=${pid},fd=4`).join('),(')})) ino:${port} sk:${port} <-> mss:536 rto:204 rtt:${rtt}/0.1 cwnd:10 bytes_sent:${sent} bytes_received:${received} lastack:${lastack} retrans:0/${retrans}\n`;
const io = (read: number, write: number): string =>
  `rchar: 1\nwchar: 1\nsyscr: 1\nsyscw: 1\nread_bytes: ${read}\nwrite_bytes: ${write}\ncancelled_write_bytes: 0\n`;

let directory: string;
let proc: FakeProc;
let settings: Settings;
let reader: SocketsReader;
let held: ProcfsProcess[];
let path: string | undefined;

beforeEach(() => {
  path = process.env.PATH;
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-sockets-'));
  proc = new FakeProc();
  for (const pid of [PID, OTHER, ELSEWHERE]) proc.addProcess(pid);
  rmSync(join(proc.root, `${OTHER}/net/dev`));
  proc.link(`${OTHER}/net/dev`, `../../${PID}/net/dev`);
  proc.link(`${process.pid}/net/dev`, `../../${PID}/net/dev`);
  proc.link('self', String(process.pid));
  proc.write(`${PID}/io`, io(1000, 2000));
  settings = new Settings();
  reader = new SocketsReader(proc.host(), settings);
  held = [];
  script(`cat ${directory}/text; echo "$@" >> ${directory}/calls`);
  says('');
});
afterEach(() => {
  process.env.PATH = path;
  reader.close();
  for (const one of held) one.close();
  proc.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A program `ss` that does this. */
function script(body: string): void {
  writeFileSync(join(directory, 'ss'), `#!/bin/sh\n${body}\n`);
  chmodSync(join(directory, 'ss'), 0o755);
  process.env.PATH = `${directory}:${path}`;
}
const says = (...lines: readonly string[]): void => writeFileSync(join(directory, 'text'), lines.join(''), 'latin1');
const calls = (): string => (existsSync(join(directory, 'calls')) ? readFileSync(join(directory, 'calls'), 'latin1') : '');

function hold(pid = PID): ProcfsProcess {
  const one = holdProcess(proc.host(), pid);
  held.push(one);
  return one;
}

/** A look of the given lines, after an interval. */
async function look(...lines: readonly string[]): Promise<Outcome> {
  says(...lines);
  proc.clock.ms += settings.socketsIntervalMs;
  return reader.read();
}
const amounts = (process: ProcfsProcess): Partial<Record<Amount, number>> => Object.fromEntries(reader.measureOf(process)?.amounts ?? []);
const rtt = (process: ProcfsProcess): number | undefined => reader.measureOf(process)?.timings.get('rtt')?.lastNanoseconds;
const STORAGE = { read_bytes: 0, write_bytes: 0 };
const sums = (send: number, receive = 0, retransmits = 0) => ({
  ...STORAGE,
  ...{ send_bytes: send, receive_bytes: receive, retransmits },
});

describe('sockets', () => {
  it('are looked at only after somebody asked', async () => {
    expect(await look(connection([PID], 5))).toBe(Outcome.notConfigured);
    expect(calls()).toBe('');
    const process = hold();
    expect(amounts(process)).toEqual(STORAGE);
    expect(await look(connection([PID], 5))).toBe(Outcome.ok);
    expect(calls()).toBe('-tinpHOe\n');
    expect(await look(connection([PID], 5))).toBe(Outcome.notConfigured);
  });

  it('count from the first look on, and a later one in whole', async () => {
    const process = hold();
    amounts(process);
    await look(connection([PID], 1000, { received: 50, retrans: 2 }));
    expect(amounts(process)).toEqual(sums(0));
    await look(connection([PID], 1007, { received: 60, retrans: 3 }), connection([PID], 300, { port: 2 }));
    expect(amounts(process)).toEqual(sums(307, 10, 1));
    expect(amounts(process)).toEqual(sums(307, 10, 1));
  });

  it('that ended keep what was last seen of them', async () => {
    const process = hold();
    amounts(process);
    await look(connection([PID], 10));
    amounts(process);
    await look(connection([PID], 30));
    expect(amounts(process)).toEqual(sums(20));
    await look();
    expect(amounts(process)).toEqual(sums(20));
    await look(connection([PID], 4, { port: 9 }));
    expect(amounts(process)).toEqual(sums(24));
  });

  it('have the latest round-trip time, no distribution, and none before there was one', async () => {
    const process = hold();
    amounts(process);
    await look();
    expect(rtt(process)).toBeUndefined();
    await look(connection([PID], 1, { rtt: '40.5', lastack: 2 }), connection([PID], 1, { rtt: '7', port: 2, lastack: 900 }));
    expect(rtt(process)).toBe(40_500_000);
    expect(reader.measureOf(process)?.timings.get('rtt')?.count).toBe(0);
    await look();
    expect(rtt(process)).toBe(40_500_000);
  });

  it('of a process that was first asked for during a look are not believed to be its own', async () => {
    amounts(hold(OTHER));
    script(`echo > ${directory}/began; while [ ! -e ${directory}/go ]; do sleep 0.01; done; cat ${directory}/text`);
    const looking = look(connection([PID], 5, {}), connection([OTHER], 5, { port: 2 }));
    await until(() => existsSync(join(directory, 'began')));
    const process = hold();
    amounts(process);
    writeFileSync(join(directory, 'go'), '');
    expect(await looking).toBe(Outcome.ok);
    expect(amounts(process)).toEqual(STORAGE);
  });

  it('of a process that is gone are nobody’s: its pid may have a new owner', async () => {
    const process = hold();
    amounts(process);
    await look(connection([PID], 5));
    amounts(process);
    await look(connection([PID], 5000));
    vi.spyOn(process, 'readStat').mockReturnValue(Outcome.gone);
    expect(reader.measureOf(process)).toBeNull();
    const next = hold();
    expect(amounts(next)).toEqual(STORAGE);
    await look(connection([PID], 6000));
    expect(amounts(next)).toEqual(sums(0));
    await look(connection([PID], 6001));
    expect(amounts(next)).toEqual(sums(1));
  });

  it('of another network namespace are not known, which is not 0', async () => {
    const process = hold(ELSEWHERE);
    amounts(process);
    await look(connection([ELSEWHERE], 5));
    expect(Object.keys(amounts(process))).toEqual(Object.keys(STORAGE));
  });

  it('that two share are counted once', async () => {
    const both = [hold(), hold(OTHER)];
    both.forEach(amounts);
    await look();
    both.forEach(amounts);
    await look(connection([OTHER, PID], 100));
    expect(both.map((process) => amounts(process).send_bytes)).toEqual([100, 0]);
  });

  it('are not counted for a time in which nobody asked, and never go back', async () => {
    const [process, other] = [hold(), hold(OTHER)];
    amounts(process);
    await look();
    amounts(process);
    await look(connection([PID], 10));
    expect(amounts(process)).toEqual(sums(10));
    await look(connection([PID], 20));
    for (let turn = 0; turn < 3; turn++) {
      amounts(other);
      await look(connection([PID], 500 + turn));
    }
    amounts(process);
    await look(connection([PID], 1000));
    expect(amounts(process)).toEqual(sums(10));
    await look(connection([PID], 1001));
    expect(amounts(process)).toEqual(sums(11));
    proc.clock.ms += 10 * settings.socketsIntervalMs;
    await look(connection([PID], 5000), connection([PID], 70, { port: 2 }));
    expect(amounts(process)).toEqual(sums(11));
  });

  it('are counted over a look that failed', async () => {
    const process = hold();
    amounts(process);
    await look(connection([PID], 10));
    amounts(process);
    expect(await look('garbage\n')).toBe(Outcome.malformed);
    expect(amounts(process)).toEqual(sums(0));
    await look(connection([PID], 15));
    expect(amounts(process)).toEqual(sums(5));
  });
});

describe('storage', () => {
  it('is what was moved since somebody asked first, without a pause, and never goes back', async () => {
    const process = hold();
    expect(amounts(process)).toEqual({ read_bytes: 0, write_bytes: 0 });
    proc.write(`${PID}/io`, io(1010, 2500));
    expect(amounts(process)).toEqual({ read_bytes: 10, write_bytes: 500 });
    proc.write(`${PID}/io`, io(900, 2500));
    expect(amounts(process)).toEqual({ read_bytes: 10, write_bytes: 500 });
    proc.clock.ms += 10 * settings.socketsIntervalMs;
    proc.write(`${PID}/io`, io(99_000, 99_000));
    expect(amounts(process)).toEqual({ read_bytes: 10, write_bytes: 500 });
    proc.write(`${PID}/io`, io(99_001, 99_000));
    expect(amounts(process)).toEqual({ read_bytes: 11, write_bytes: 500 });
  });

  it.each([
    ['is cut', 'rchar: 1\n'],
    ['has no number', io(0, 0).replace('read_bytes: 0', 'read_bytes: 18446744073709551615')],
  ])('that %s is not known', (_, text) => {
    proc.write(`${PID}/io`, text);
    expect(reader.measureOf(hold())).toBeNull();
  });
});

describe('a look', () => {
  it('is not permitted where every process refuses itself', async () => {
    const refused = new FakeProcess(recordedFiles().set('io', errno('EACCES')));
    expect(reader.measureOf(refused)).toBeNull();
    expect(await look(connection([PID], 5))).toBe(Outcome.notPermitted);
    expect(calls()).toBe('');
    reader.measureOf(refused);
    amounts(hold());
    expect(await look()).toBe(Outcome.ok);
  });

  it('is not possible where processes are seen under other pids than by the program', async () => {
    rmSync(join(proc.root, 'self'));
    proc.link('self', String(process.pid + 1));
    amounts(hold());
    expect(await look()).toBe(Outcome.unsupported);
    expect(calls()).toBe('');
  });

  it('is not permitted where our right to look does not pass to the program', async () => {
    const status = (uid: number, effective: string, ambient: string): string =>
      `Name:\tnode\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\nCapEff:\t${effective}\nCapAmb:\t${ambient}\n`;
    const none = '0000000000000000';
    const look1 = async (text: string): Promise<Outcome> => {
      proc.write('self/status', text);
      amounts(hold());
      return look();
    };
    expect(await look1(status(990, '0000000000080004', none))).toBe(Outcome.notPermitted);
    expect(await look1(status(990, '0000000000080004', '0000000000080000'))).toBe(Outcome.ok);
    expect(await look1(status(990, none, none))).toBe(Outcome.ok);
    expect(await look1(status(0, '000001ffffffffff', none))).toBe(Outcome.ok);
  });

  it.each([
    ['says garbage', 'echo what', Outcome.malformed],
    ['is cut', 'printf "ESTAB 0 0 a"', Outcome.malformed],
    ['fails', 'echo Operation not permitted >&2; exit 1', Outcome.ioError],
    ['floods', 'yes', Outcome.tooLarge],
    ['is quiet', 'exit 0', Outcome.ok],
  ])('of a program that %s is an outcome', async (_, body, outcome) => {
    script(body);
    amounts(hold());
    expect(await look()).toBe(outcome);
    expect(reader.connections).toBe(outcome === Outcome.ok ? 0 : null);
  });

  it.each([
    ['is not there', 'ENOENT', Outcome.notConfigured],
    ['may not be run', 'EACCES', Outcome.notPermitted],
    ['takes too long', 'ETIMEDOUT', Outcome.timeout],
  ])('of a program that %s is an outcome, and storage is known all the same', async (_, code, outcome) => {
    const failing = new Failing(proc.host(), settings);
    failing.code = code;
    reader = failing;
    const process = hold();
    amounts(process);
    expect(await look()).toBe(outcome);
    expect(amounts(process)).toEqual(STORAGE);
  });

  it('without a network namespace of our own to compare with tells of nobody', async () => {
    rmSync(join(proc.root, 'self/net/dev'));
    const process = hold();
    amounts(process);
    expect(await look(connection([PID], 5))).not.toBe(Outcome.ok);
    expect(amounts(process)).toEqual(STORAGE);
  });

  it('that is under way ends with the reader', async () => {
    script(`echo > ${directory}/began; exec sleep 60`);
    amounts(hold());
    const looking = look();
    await until(() => existsSync(join(directory, 'began')));
    reader.close();
    expect(await looking).not.toBe(Outcome.ok);
  });

  it('has as many connections as there are, and counts lines that it could not read', async () => {
    const collector = new SocketsHostCollector(reader, settings);
    const numbers = () => collector.families().map(({ samples }) => [...samples()].map(({ value }) => value));
    expect(collector.intervalMs).toBe(settings.socketsIntervalMs);
    expect(numbers()).toEqual([[], []]);
    amounts(hold());
    says(connection([PID], 5), 'what\n', connection([7], 5, { port: 2 }));
    expect(await collector.read()).toBe(Outcome.ok);
    expect(numbers()).toEqual([[2], [1]]);
    expect(await collector.read()).toBe(Outcome.notConfigured);
    expect(numbers()).toEqual([[], [1]]);
    collector.close();
  });
});
