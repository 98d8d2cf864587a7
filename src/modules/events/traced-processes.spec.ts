import { beforeEach, describe, expect, it } from 'vitest';
import { FakeProc, type StoppedClock, statLine } from '../../../test/fake-proc.js';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import { until } from '../../../test/holding.js';
import { FakeSubject } from '../../../test/subject.js';
import { ALL_ON, FakeSession, hist, numbers, TICK } from '../../../test/telling.js';
import type { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { emptyMeasure, type Measure, Timing } from './measure.js';
import { TracedProcesses, type TracedReading } from './traced-processes.js';

const clock = { ms: 0, now: () => 0, monotonic: (): number => clock.ms } satisfies Pick<StoppedClock, 'ms' | 'now' | 'monotonic'>;
const proc = new FakeProc();
const host = Object.assign(Object.create(proc.host()) as Host, { clock });
proc.close();

/** What ss and /proc say, by process. */
const plain = new Map<unknown, Measure>();
let settings: Settings;
let traced: TracedProcesses;
let session: FakeSession;
beforeEach(() => {
  clock.ms = 0;
  plain.clear();
  settings = Object.assign(new Settings(), { tracing: 'auto' });
  traced = new TracedProcesses(host, settings, () => Outcome.notPermitted, { measureOf: (process) => plain.get(process) ?? null });
  session = new FakeSession();
});

class Vmm extends FakeProcess {
  override readonly pid: number;

  constructor(pid: number, comm = 'qemu') {
    super(new Map([['stat', statLine({ pid, comm })]]));
    this.pid = pid;
  }

  end(): void {
    this.files.set('stat', errno('ESRCH'));
  }
}

const subjectOf = (process: FakeProcess | null, id = 'vm-1'): FakeSubject => new FakeSubject(process, id);
/** A telling: who is enrolled, what was counted. */
function tell(...lines: readonly string[]): Promise<void> {
  for (const line of [...lines, '', TICK]) traced.line(line);
  return settled();
}
/** Everything told so far is taken in. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
}
const enrolledAll = (): string => numbers('vm', Object.fromEntries(session.rung.map(([word, pid]) => [pid, word % 2 ** 28])));
/** Rounds until everybody who is enrolled was told of. */
async function begin(next = session): Promise<void> {
  session = next;
  traced.began(session);
  await settled();
  await tell(enrolledAll());
  await tell(enrolledAll());
}
const keyOf = (process: FakeProcess): number => session.keysOf(process.pid).at(-1) ?? expect.fail('it was not enrolled');
function reading(subject: FakeSubject): TracedReading {
  const found = traced.of(subject);
  return typeof found === 'number' ? expect.fail(`outcome ${found}`) : found;
}
const measure = (subject: FakeSubject, name = 'qemu'): Measure => reading(subject).instance.names.get(name) ?? expect.fail(`no ${name}`);
const sample = (family: string): unknown[] => [
  ...(traced
    .families()
    .find(({ name }) => name === family)
    ?.samples() ?? []),
];

it('what the kernel missed goes on from life to life, and is absent where it does not tell', async () => {
  const missed = (events: number): string => `{"type": "missed_events", "data": {"events": ${events}}}`;
  const told = (): unknown[] => sample('vmgauge_tracing_missed_events_total');
  await begin();
  expect(told()).toEqual([]);
  await tell(missed(0));
  expect(told()).toEqual([{ labels: '', value: 0 }]);
  await tell(missed(5));
  await tell(missed(3));
  expect(told()).toEqual([{ labels: '', value: 5 }]);
  traced.ended();
  await begin(new FakeSession());
  expect(told()).toEqual([{ labels: '', value: 5 }]);
  await tell(missed(2));
  expect(told()).toEqual([{ labels: '', value: 7 }]);
});

describe('who is traced', () => {
  it('is rung for when a life begins, and when it comes later', async () => {
    const [one, other] = [new Vmm(100), new Vmm(200)];
    expect(traced.isWanted()).toBe(false);
    traced.attach(subjectOf(one));
    expect(traced.isWanted()).toBe(true);
    await begin();
    traced.attach(subjectOf(other, 'vm-2'));
    expect(session.rung).toEqual([
      [2 ** 28 + 1, 100],
      [2 ** 28 + 2, 200],
    ]);
    await tell(enrolledAll());
    expect(sample('vmgauge_tracing_processes')).toEqual([{ labels: '', value: 2 }]);
  });

  it('is the VMM and what works beside it, each once', async () => {
    const vmm = new Vmm(100);
    const subject = subjectOf(vmm);
    subject.companions.set('shim', vmm).set('virtiofsd', new Vmm(101, 'virtiofsd'));
    traced.attach(subject);
    await begin();
    expect(session.rung.map(([, pid]) => pid)).toEqual([100, 101]);
    expect([...reading(subject).instance.names.keys()]).toEqual(['qemu', 'virtiofsd']);
    subject.companions.set('virtiofsd', new Vmm(102, 'virtiofsd'));
    traced.attach(subject);
    expect(session.rung.slice(2)).toEqual([
      [2 ** 28, 101],
      [2 ** 28 + 3, 102],
    ]);
  });

  it('is none that has ended, or ends while it is rung for', async () => {
    const [gone, ending] = [new Vmm(100), new Vmm(200)];
    gone.end();
    session.heard = ([, pid]) => pid === 200 && ending.end();
    const [one, other] = [subjectOf(gone), subjectOf(ending, 'vm-2')];
    traced.attach(one);
    traced.attach(other);
    await begin();
    expect(session.rung).toEqual([
      [2 ** 28 + 1, 200],
      [2 ** 28, 200],
    ]);
    await tell(numbers('fs_bytes', { '1,1': 4096 }));
    expect([traced.of(one), traced.of(other)]).toEqual([Outcome.busy, Outcome.busy]);
  });

  it('keeps its key when one that had its pid is taken back', async () => {
    const [old, fresh] = [new Vmm(100), new Vmm(100, 'next')];
    const [one, other] = [subjectOf(old), subjectOf(fresh, 'vm-2')];
    traced.attach(one);
    await begin();
    traced.attach(other);
    traced.detach(one);
    expect(session.rung.slice(1)).toEqual([
      [2 ** 28 + 2, 100],
      [2 ** 28, 100],
      [2 ** 28 + 2, 100],
    ]);
    await tell(numbers('fs_bytes', { '1,1': 4096, '2,1': 512 }), enrolledAll());
    await tell(enrolledAll());
    expect(measure(other, 'next').amounts.get('write_bytes')).toBe(512);
  });

  it('is rung for again where the kernel side does not have it', async () => {
    const vmm = new Vmm(100);
    traced.attach(subjectOf(vmm));
    await begin();
    expect(session.rung).toHaveLength(1);
    await tell(numbers('vm', { 5: 77 }));
    expect(session.rung.slice(1)).toEqual([[2 ** 28 + 1, 100]]);
    vmm.end();
    await tell();
    expect(session.rung).toHaveLength(2);
  });

  it('are devices by namespace and index, where the guest’s DNS is traced', async () => {
    const vmm = new Vmm(100);
    Object.assign(vmm, {
      open: (path: string) => {
        const content = Buffer.from('7    tap7            1     0     333300000001\n9    tap9            1     0     333300000001\n');
        return {
          readAt: (buffer: Buffer, offset: number, length: number, position: number) =>
            path === 'net/dev_mcast' ? content.copy(buffer, offset, position, Math.min(content.length, position + length)) : 0,
          identity: () => '4:4026532000',
          close: () => undefined,
        };
      },
    });
    const subject = subjectOf(vmm);
    subject.nics = [{ kind: 'tap', name: 'tap7' }, { kind: 'user' }, { kind: 'tap', name: 'nowhere' }];
    traced.attach(subject);
    await begin();
    const [, device] = session.rung;
    expect(device).toEqual([2 ** 28 + 2, 2 * 2 ** 28 + (4_026_532_000 % 2 ** 28), 3 * 2 ** 28 + 7]);
    await tell(hist('guest_dns', { 2: [5_000_000] }), hist('dns', { 2: [1] }), hist('guest_dns', { 1: [5] }), enrolledAll());
    expect(reading(subject).instance.guest.timings.get('dns')?.count).toBe(1);
    expect(measure(subject).timings.size).toBe(0);
    subject.nics = [{ kind: 'tap', name: 'tap9' }];
    traced.look();
    traced.attach(subject);
    expect(session.rung.slice(2).map((numbers) => [numbers[0] % 2 ** 28, numbers[2] % 2 ** 28])).toEqual([
      [0, 7],
      [3, 9],
    ]);
    await begin(new FakeSession(1024, { ...ALL_ON, 'guest-dns': 'missing_tracepoint' }));
    expect(session.rung).toHaveLength(1);
  });

  it('are looked for again while they are not there, but not for ever', async () => {
    const vmm = new Vmm(100);
    let looks = 0;
    let isThere = false;
    Object.assign(vmm, {
      open: (path: string) => {
        const content = Buffer.from(isThere ? '7    tap7            1     0     333300000001\n' : '');
        if (path === 'net/dev_mcast') looks++;
        return {
          readAt: (buffer: Buffer, offset: number, length: number, position: number) =>
            content.copy(buffer, offset, position, Math.min(content.length, position + length)),
          identity: () => '4:4026532000',
          close: () => undefined,
        };
      },
    });
    const subject = subjectOf(vmm);
    subject.nics = [{ kind: 'tap', name: 'tap7' }];
    traced.attach(subject);
    await begin();
    expect([session.rung.length, looks]).toEqual([1, 3]);
    for (let i = 0; i < 10; i++) await tell(enrolledAll());
    expect([session.rung.length, looks]).toEqual([1, 7]);
    traced.attach(subject);
    isThere = true;
    await tell(enrolledAll());
    await tell(enrolledAll());
    expect([session.rung.length, looks]).toEqual([2, 9]);
  });
});

describe('what was counted', () => {
  const vmm = new Vmm(100);
  const subject = subjectOf(vmm);

  it('is told in totals, and shown once a telling is whole', async () => {
    traced.attach(subject);
    expect(traced.of(subject)).toBe(Outcome.notPermitted);
    traced.began(session);
    await settled();
    await tell(enrolledAll());
    expect(traced.of(subject)).toBe(Outcome.busy);
    await tell(enrolledAll());
    expect(reading(subject).source).toBe('ebpf');
    const key = keyOf(vmm);
    const version = reading(subject).instance.version;
    traced.line(hist('rtt', { [key]: [50_000, 150_000] }));
    await settled();
    expect(reading(subject).instance.version).toBe(version);
    await tell(numbers('rtt_sum', { [key]: 200_000 }), numbers('rtt_last', { [key]: 150_000 }), enrolledAll());
    expect(reading(subject).instance.version).toBeGreaterThan(version);
    await tell(hist('rtt', { [key]: [50_000, 150_000, 150_000] }), numbers('rtt_sum', { [key]: 350_000 }), enrolledAll());
    const rtt = measure(subject).timings.get('rtt');
    expect(rtt).toMatchObject({ count: 3, sumNanoseconds: 350_000, lastNanoseconds: 150_000 });
    expect([...(rtt?.buckets.slice(0, 3) ?? [])]).toEqual([1, 2, 0]);
  });

  it('is of every map', async () => {
    traced.attach(subject);
    await begin();
    const key = keyOf(vmm);
    const maps = ['rtt', 'connect', 'dns', 'cpu_block', 'run_queue'];
    await tell(
      ...maps.flatMap((map, i) => [hist(map, { [key]: [i + 1] }), numbers(`${map}_last`, { [key]: i + 1 })]),
      hist('fs', { [`${key},0`]: [1], [`${key},1`]: [1, 1], [`${key},2`]: [1, 1, 1], [`${key},3`]: [1] }),
      numbers('net', { [`${key},1`]: 10, [`${key},0`]: 20, [`${key},7`]: 1 }),
      numbers('fs_bytes', { [`${key},0`]: 30, [`${key},1`]: 40 }),
      numbers('connect_errors', { [key]: 5 }),
      numbers('retransmits', { [key]: 6 }),
      numbers('unheard_of', { [key]: 6 }),
      enrolledAll(),
    );
    const { timings, amounts } = measure(subject);
    expect(Object.fromEntries([...timings].map(([latency, { count }]) => [latency, count]))).toEqual({
      ...{ rtt: 1, connect: 1, dns: 1, cpu_block: 1, run_queue: 1 },
      ...{ read: 1, write: 2, fsync: 3 },
    });
    expect(Object.fromEntries(amounts)).toEqual({
      ...{ send_bytes: 10, receive_bytes: 20, read_bytes: 30, write_bytes: 40 },
      ...{ connect_errors: 5, retransmits: 6 },
    });
  });

  it('is carried over from life to life, and never goes back', async () => {
    traced.attach(subject);
    await begin();
    await tell(numbers('net', { '1,1': 1000 }), hist('dns', { 1: [1, 2] }), enrolledAll());
    traced.line(numbers('net', { '1,1': 1500 }));
    traced.ended();
    await settled();
    expect(reading(subject).source).toBe('ebpf');
    expect(measure(subject).amounts.get('send_bytes')).toBe(1500);
    await begin(new FakeSession());
    await tell(numbers('net', { '1,1': 10 }), hist('dns', { 1: [1] }), enrolledAll());
    await tell(numbers('net', { '1,1': 4 }), hist('dns', { 1: [1] }), enrolledAll());
    expect(measure(subject).amounts.get('send_bytes')).toBe(1510);
    expect(measure(subject).timings.get('dns')?.count).toBe(3);
  });

  it('is dropped of an instance that is gone, and kept of a process that is', async () => {
    const subject = subjectOf(vmm);
    subject.companions.set('virtiofsd', new Vmm(101));
    traced.attach(subject);
    await begin();
    await tell(numbers('net', { '1,1': 1000, '2,1': 50 }), enrolledAll());
    subject.companions.clear();
    traced.attach(subject);
    await tell(numbers('net', { '1,1': 1000, '2,1': 99 }), enrolledAll());
    expect(measure(subject).amounts.get('send_bytes')).toBe(1050);
    traced.detach(subject);
    expect(traced.of(subject)).toBe(Outcome.gone);
    traced.attach(subject);
    await tell(numbers('net', { '1,1': 2000 }), enrolledAll());
    await tell(numbers('net', { '1,1': 2000 }), enrolledAll());
    expect(measure(subject).amounts.size).toBe(0);
  });

  it('has names up to a limit, then one for the rest, or none at all', async () => {
    settings.tracingProcessNames = 1;
    const subject = subjectOf(new Vmm(100, 'a (b) c'));
    subject.companions.set('shim', new Vmm(101, 'shim')).set('virtiofsd', new Vmm(102, 'vfs\nd'));
    traced.attach(subject);
    await begin();
    expect([...reading(subject).instance.names.keys()]).toEqual(['a (b) c', 'other']);
    traced.detach(subject);
    settings.tracingProcessNames = 0;
    traced.attach(subject);
    await begin(new FakeSession());
    expect([...reading(subject).instance.names.keys()]).toEqual(['']);
  });

  it('of garbage is nothing, and is counted', async () => {
    traced.attach(subject);
    await begin();
    await tell('garbage', '{"type": "lost_events", "data": {"events": 7}}', numbers('net', { '1,1': 2n ** 64n - 1n }), enrolledAll());
    expect(measure(subject).amounts.size).toBe(0);
    expect(sample('vmgauge_tracing_unreadable_lines_total')).toEqual([{ labels: '', value: 2 }]);
    expect(sample('vmgauge_tracing_lost_events_total')).toEqual([{ labels: '', value: 7 }]);
  });

  it('is not waited for by anybody: more lines than there is room for are dropped and counted', async () => {
    traced.attach(subject);
    await begin();
    for (let i = 0; i < 2000; i++) traced.line(numbers('net', { '1,1': i }));
    await settled();
    await tell(numbers('net', { '1,1': 5000 }), enrolledAll());
    expect(measure(subject).amounts.get('send_bytes')).toBe(5000);
    expect(sample('vmgauge_tracing_unreadable_lines_total')).not.toEqual([{ labels: '', value: 0 }]);
  });
});

describe('maps', () => {
  const crowd = (from: number, count: number): FakeSubject[] =>
    Array.from({ length: count }, (_, i) => subjectOf(new Vmm(1000 + from + i), `vm-${from + i}`));

  it('are as large as those who are traced need', () => {
    expect(traced.slots()).toBe(1024);
    for (const subject of crowd(0, 20)) traced.attach(subject);
    expect(traced.slots()).toBe(2048);
    for (const subject of crowd(20, 2000)) traced.attach(subject);
    expect(traced.slots()).toBe(65_536);
  });

  it('say how full they are', async () => {
    traced.attach(subjectOf(new Vmm(100)));
    expect(sample('vmgauge_tracing_map_fill_ratio')).toEqual([]);
    await begin();
    await tell(hist('rtt', { 1: [1, 200_000, 9_000_000] }), enrolledAll());
    expect(sample('vmgauge_tracing_map_fill_ratio')).toEqual([
      { labels: 'map="rtt"', value: 3 / 1024 },
      { labels: 'map="vm"', value: 1 / 1024 },
    ]);
    traced.ended();
    expect(sample('vmgauge_tracing_map_fill_ratio')).toEqual([]);
    expect(sample('vmgauge_tracing_processes')).toEqual([]);
  });

  it('are made anew when they are too small for those who came', async () => {
    traced.attach(subjectOf(new Vmm(100)));
    await begin();
    expect(session.renewals).toBe(0);
    for (const subject of crowd(0, 40)) traced.attach(subject);
    await tell(enrolledAll());
    expect(session.renewals).toBe(1);
    expect(traced.slots()).toBe(4096);
  });

  it('are made anew when they are full of what is gone', async () => {
    traced.attach(subjectOf(new Vmm(100)));
    await begin();
    const old = Object.fromEntries(Array.from({ length: 716 }, (_, i) => [i + 1, 5]));
    await tell(numbers('retransmits', old), enrolledAll());
    expect(session.renewals).toBe(0);
    await tell(numbers('retransmits', { ...old, 717: 5 }), enrolledAll());
    expect(session.renewals).toBe(1);
    expect(traced.slots()).toBe(1024);
  });

  it('are made larger when the kernel side says that one is full', async () => {
    traced.attach(subjectOf(new Vmm(100)));
    await begin();
    await tell('{"type": "helper_error", "msg": "full", "helper": "map_update_elem", "retcode": -7}', enrolledAll());
    expect(session.renewals).toBe(1);
    expect(traced.slots()).toBe(2048);
    expect(sample('vmgauge_tracing_lost_events_total')).toEqual([{ labels: '', value: 1 }]);
  });
});

describe('where nothing is traced', () => {
  const vmm = new Vmm(100);
  const subject = subjectOf(vmm);
  const says = (sendBytes: number, rtt = Number.NaN): void => {
    const told = emptyMeasure();
    told.amounts.set('send_bytes', sendBytes);
    if (!Number.isNaN(rtt)) told.timings.set('rtt', Object.assign(new Timing(), { lastNanoseconds: rtt }));
    plain.set(vmm, told);
  };
  const turn = (): Measure => {
    traced.look();
    return measure(subject);
  };

  it('it is said why', () => {
    traced.attach(subject);
    expect(traced.of(subject)).toBe(Outcome.notPermitted);
  });

  it('because tracing is off, sockets and files tell still', () => {
    settings.tracing = 'off';
    traced.attach(subject);
    says(5);
    expect(turn().amounts.get('send_bytes')).toBe(5);
    expect(reading(subject).source).toBe('proc');
  });

  it('because all of it is off, nobody is looked at', () => {
    settings.tracing = 'off';
    traced = new TracedProcesses(host, settings, () => Outcome.notPermitted, null);
    traced.attach(subject);
    expect(traced.isWanted()).toBe(false);
    expect(traced.of(subject)).toBe(Outcome.notConfigured);
  });

  it('sockets and files tell totals and the latest', () => {
    traced.attach(subject);
    says(5, 70_000);
    expect(turn().amounts.get('send_bytes')).toBe(5);
    says(8, 80_000);
    expect(turn().amounts.get('send_bytes')).toBe(8);
    expect(reading(subject).source).toBe('proc');
    expect(measure(subject).timings.get('rtt')).toMatchObject({ count: 0, lastNanoseconds: 80_000 });
    expect(traced.counts('rtt')).toBe(false);
  });

  it('a change of source neither jumps nor goes back', async () => {
    traced.attach(subject);
    says(100);
    expect(turn().amounts.get('send_bytes')).toBe(100);
    await begin();
    says(150);
    expect(turn().amounts.get('send_bytes')).toBe(100);
    await tell(numbers('net', { '1,1': 40 }), enrolledAll());
    expect(turn().amounts.get('send_bytes')).toBe(140);
    traced.ended();
    clock.ms += 60_000;
    says(300);
    expect([turn().amounts.get('send_bytes'), reading(subject).source]).toEqual([140, 'ebpf']);
    clock.ms += 60_000;
    says(400);
    expect([turn().amounts.get('send_bytes'), reading(subject).source]).toEqual([140, 'proc']);
    says(401);
    expect(turn().amounts.get('send_bytes')).toBe(141);
    plain.clear();
    traced.look();
    expect(traced.of(subject)).toBe(Outcome.notPermitted);
  });

  it('what the kernel cannot tell of a block that is on is read as well', async () => {
    const tick = TICK.replace('\\n', ' -rtt\\n');
    traced.attach(subject);
    await begin(new FakeSession());
    says(0, 70_000);
    turn();
    expect(measure(subject).timings.get('rtt')).toBe(undefined);
    traced.line(tick);
    await settled();
    expect([traced.counts('rtt'), traced.counts('retransmits'), traced.counts('connect')]).toEqual([false, true, true]);
    expect(turn().timings.get('rtt')).toMatchObject({ count: 0, lastNanoseconds: 70_000 });
    await begin(new FakeSession());
    expect(traced.counts('rtt')).toBe(true);
  });

  it('what one block does not count is read beside what the others do', async () => {
    traced.attach(subject);
    await begin(new FakeSession(1024, { ...ALL_ON, bytes: 'missing_tracepoint' }));
    says(100);
    turn();
    says(107);
    await tell(numbers('fs_bytes', { '1,1': 4096 }), enrolledAll());
    expect(turn().amounts.get('send_bytes')).toBeGreaterThanOrEqual(7);
    expect(measure(subject).amounts.get('write_bytes')).toBe(4096);
    expect([reading(subject).source, traced.counts('send_bytes'), traced.counts('rtt')]).toEqual(['ebpf', false, true]);
  });
});

const KEYS = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [i + 1, [1, 200_000, 5_000_000_000]]));
/** On a clock that moves with each look at it: what would be slow is put aside. */
function movingly(): void {
  const moving = Object.assign(Object.create(host) as Host, { clock: { now: () => 0, monotonic: () => (clock.ms += 0.01) } });
  traced = new TracedProcesses(moving, settings, () => Outcome.ok, null);
}

it('the last telling of a life leaves turns to others, and is read before the next life begins', async () => {
  movingly();
  const subject = subjectOf(new Vmm(100));
  traced.attach(subject);
  traced.began(session);
  await until(() => session.rung.length === 1);
  for (let telling = 0; telling < 2; telling++) {
    traced.line(enrolledAll());
    traced.line(TICK);
  }
  await settled();
  traced.line(hist('rtt', KEYS));
  traced.line(numbers('net', { '1,1': 1500 }));
  traced.ended();
  const next = new FakeSession();
  traced.began(next);
  traced.line(numbers('net', { '1,1': 7 }));
  expect(next.rung).toEqual([]);
  let turns = 0;
  for (; next.rung.length === 0; turns++) await new Promise(setImmediate);
  expect(turns).toBeGreaterThan(10);
  await settled();
  session = next;
  await tell(enrolledAll());
  expect(measure(subject).amounts.get('send_bytes')).toBe(1507);
});

it('a telling of many VMs leaves turns to others', async () => {
  movingly();
  traced.attach(subjectOf(new Vmm(100)));
  traced.began(session);
  await until(() => session.rung.length === 1);
  traced.line(hist('rtt', KEYS));
  traced.line(TICK);
  let turns = 0;
  while (sample('vmgauge_tracing_map_fill_ratio').length === 0) {
    turns++;
    await new Promise(setImmediate);
  }
  expect(turns).toBeGreaterThan(10);
});
