import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { event } from '../../../test/fake-cloud-hypervisor.js';
import { Spawned } from '../../../test/spawned.js';
import { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import { holdProcess, type ProcfsProcess } from '../procfs/held-process.js';
import { VMM_EVENTS, type VmmEvents } from './answer.js';
import { EventStream, MAX_EVENT_CHARACTERS } from './cloud-hypervisor-events.js';
import { EventMonitor, monitorTarget } from './cloud-hypervisor-monitor.js';

const LIFE =
  event('vmm', 'starting') +
  event('vm', 'booting') +
  event('virtio-device', 'activated', { id: '_disk0' }) +
  event('vm', 'booted') +
  event('guest', 'panic', { event: 'panic' }) +
  event('guest', 'panic', { event: 'crash_loaded' }) +
  event('guest', 'panic', { event: 'unknown_event' }) +
  event('vm', 'rebooting') +
  event('vm', 'rebooted') +
  event('vm', 'pausing') +
  event('vm', 'paused') +
  event('vm', 'migration-memory-iteration', { id: '1' }) +
  event('vm', 'migration-started') +
  event('vm', 'migration-failed') +
  event('vm', 'device-removed', { id: '}\n{"é"' });
const LIVED = { booted: 1, 'guest-panicked': 1, 'guest-crashloaded': 1, reset: 1, stop: 1, migration: 2, 'device-deleted': 1 };

function countsOf(stream: EventStream): VmmEvents {
  return Object.fromEntries(VMM_EVENTS.flatMap((name) => (stream.count(name) > 0 ? [[name, stream.count(name)]] : [])));
}
const fed = (...pieces: readonly string[]): EventStream => {
  const stream = new EventStream();
  for (const piece of pieces) stream.feed(piece);
  return stream;
};

describe('events of Cloud Hypervisor', () => {
  it('are counted by what happened', () => {
    const stream = fed(LIFE);
    expect([countsOf(stream), stream.malformed]).toEqual([LIVED, 0]);
  });

  it('are the same in whatever pieces they come', () => {
    for (let cut = 0; cut <= LIFE.length; cut++) {
      const stream = fed(LIFE.slice(0, cut), LIFE.slice(cut));
      expect([countsOf(stream), stream.malformed]).toEqual([LIVED, 0]);
    }
    expect(countsOf(fed(...LIFE))).toEqual(LIVED);
  });

  it('that are cut count when they are whole, and never before', () => {
    const one = event('vm', 'booted');
    for (let end = 0; end < one.length - 2; end++) expect(fed(one.slice(0, end)).count('booted')).toBe(0);
    expect(fed(one.slice(0, -1)).count('booted')).toBe(1);
  });

  it('that lost their end, or their beginning, cost themselves', () => {
    const half = event('vm', 'booted').slice(0, 40);
    const stream = fed(half, '\n', event('vm', 'paused'), event('vm', 'resumed').slice(30), event('vm', 'paused'));
    expect([countsOf(stream), stream.malformed]).toEqual([{ stop: 2 }, 1]);
  });

  it('that are too long, or no JSON, cost themselves and no memory', () => {
    const long = event('vm', 'booted', { id: 'x'.repeat(MAX_EVENT_CHARACTERS) });
    const stream = fed(
      long,
      event('vm', 'paused'),
      '{\n  "timestamp": nonsense\n}\n',
      event('vm', 'resumed'),
      '{"source":"vm","event":"paused"}\n',
    );
    expect([countsOf(stream), stream.malformed]).toEqual([{ stop: 2, resume: 1 }, 2]);
    const endless = fed('{\n');
    for (let piece = 0; piece < 100; piece++) endless.feed('y'.repeat(1000));
    endless.feed(`\n${event('vm', 'paused')}`);
    expect([countsOf(endless), endless.malformed]).toEqual([{ stop: 1 }, 1]);
  });

  it('are not found in noise, NULs or names of objects', () => {
    const stream = fed(
      '\0'.repeat(1000),
      '\n',
      event('vm', 'paused'),
      event('constructor', 'toString'),
      event('guest', 'panic'),
      'noise\n',
    );
    expect([countsOf(stream), stream.malformed]).toEqual([{ stop: 1 }, 0]);
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.constantFrom('{', '}', '\n', '{\n', '}\n', '"', event('vm', 'paused'))), { maxLength: 30 }),
        (pieces) => {
          const whole = fed(pieces.join(''));
          const cut = fed(...pieces);
          expect([countsOf(cut), cut.malformed]).toEqual([countsOf(whole), whole.malformed]);
        },
      ),
    );
  });

  it('passes over words that are no text and cannot be made any', () => {
    const stream = new EventStream();
    const strange = { toString: false };
    for (const event of [
      { source: strange, event: 'paused' },
      { source: 'vm', event: strange },
      { source: 'guest', event: 'panic', properties: { event: strange } },
    ]) {
      stream.feed(`${JSON.stringify(event, null, 2)}\n`);
    }
    expect([countsOf(stream), stream.malformed]).toEqual([{}, 0]);
  });
});

describe('the option for events', () => {
  it.each([
    [['--event-monitor', 'path=/e.json'], { path: '/e.json' }],
    [['--event-monitor=path=/e.json'], { path: '/e.json' }],
    [['--event-monitor', 'path="/e.json"'], { path: '/e.json' }],
    [['--event-monitor', 'path=/a', '--event-monitor', 'fd=7'], { fd: 7 }],
    [['--event-monitor', 'fd=x'], null],
    [['--event-monitor', '/e.json'], null],
    [['--event-monitor', 'path='], null],
    [['--event-monitor'], null],
    [['--event-monitors', 'path=/a'], null],
    [[], null],
  ])('%j leads to %j', (argv, target) => {
    expect(monitorTarget(['cloud-hypervisor', ...argv])).toEqual(target);
  });
});

describe('a file of events', () => {
  const host = new Host();
  const spawned = new Spawned();
  let directory: string;
  let held: ProcfsProcess | undefined;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'vmgauge-events-'));
  });
  afterEach(async () => {
    held?.close();
    held = undefined;
    await spawned.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const file = (): string => join(directory, 'events.json');
  /** A process with this argv, whatever it does. @param script run by bash instead of sleeping */
  async function monitorOf(value: string, script = 'sleep 600'): Promise<EventMonitor> {
    const { pid } = await spawned.start(['bash', '-c', `${script}; :`, 'cloud-hypervisor', '--event-monitor', value]);
    await expect.poll(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'), { timeout: 20_000 }).toContain('--event-monitor');
    held = holdProcess(host, pid);
    return new EventMonitor(held);
  }
  const read = async (monitor: EventMonitor): Promise<unknown> => (await monitor.read(20_000)) ?? monitor.told(false);

  it('is counted from its beginning, and on from where it was', async () => {
    writeFileSync(file(), event('vm', 'booted') + event('vm', 'paused').slice(0, 20));
    const monitor = await monitorOf(`path=${file()}`);
    expect(await read(monitor)).toEqual({
      ...{
        booted: 1,
        reset: 0,
        shutdown: 0,
        stop: 0,
        resume: 0,
        resized: 0,
        snapshotted: 0,
        restored: 0,
        'device-deleted': 0,
        migration: 0,
      },
    });
    expect(await read(monitor)).toMatchObject({ booted: 1, stop: 0 });
    appendFileSync(file(), event('vm', 'paused').slice(20) + event('vm', 'booted'));
    expect(await read(monitor)).toMatchObject({ booted: 2, stop: 1 });
    expect(monitor.told(true)).toMatchObject({ 'guest-panicked': 0, 'guest-crashloaded': 0 });
  });

  it('never counts twice what was cut off', async () => {
    writeFileSync(file(), event('vm', 'booted').repeat(3));
    const monitor = await monitorOf(`path=${file()}`);
    expect(await read(monitor)).toMatchObject({ booted: 3 });
    truncateSync(file(), 10);
    expect(await read(monitor)).toMatchObject({ booted: 3 });
    appendFileSync(file(), event('vm', 'booted'));
    expect(await read(monitor)).toMatchObject({ booted: 4 });
  });

  it('is caught up with before anything is told', async () => {
    writeFileSync(file(), event('vm', 'booted').repeat(60_000));
    const monitor = await monitorOf(`path=${file()}`);
    const answers: unknown[] = [];
    do answers.push(await read(monitor));
    while (answers.at(-1) === Outcome.busy && answers.length < 100);
    expect(answers.length).toBeGreaterThan(1);
    expect(answers.at(-1)).toMatchObject({ booted: 60_000 });
  });

  it('is read by its descriptor, whatever its name is by now', async () => {
    writeFileSync(file(), '');
    const monitor = await monitorOf('fd=7', `exec 7>>${file()}; sleep 600`);
    await expect.poll(() => read(monitor), { timeout: 20_000 }).toMatchObject({ booted: 0 });
    appendFileSync(file(), event('vm', 'booted'));
    renameSync(file(), join(directory, 'elsewhere'));
    expect(await read(monitor)).toMatchObject({ booted: 1 });
  });

  it.each([
    ['a FIFO', (): unknown => execFileSync('mkfifo', [file()]), Outcome.unsupported],
    ['a directory', (): unknown => mkdirSync(file()), Outcome.unsupported],
    ['a link', (): unknown => symlinkSync('/etc/passwd', file()), Outcome.unsupported],
    ['nothing', (): unknown => undefined, Outcome.gone],
  ])('that is %s is not read', async (_, make, outcome) => {
    make();
    expect(await read(await monitorOf(`path=${file()}`))).toBe(outcome);
  });

  it('that is a pipe or no descriptor is not read', async () => {
    expect(await read(await monitorOf('fd=1'))).toBe(Outcome.unsupported);
    held?.close();
    expect(await read(await monitorOf('fd=77'))).toBe(Outcome.gone);
  });

  it('is unsupported without the option', async () => {
    held = holdProcess(host, process.pid);
    const monitor = new EventMonitor(held);
    const reads = vi.spyOn(held, 'readAsync');
    expect([await read(monitor), await read(monitor)]).toEqual([Outcome.unsupported, Outcome.unsupported]);
    // argv stays what it is, and reading it takes a lock of the VMM's.
    expect(reads).toHaveBeenCalledTimes(1);
  });
});
