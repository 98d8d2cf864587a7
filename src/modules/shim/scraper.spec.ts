import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import { answer, bytes, cut, drip, flood, RawSocket, type Reply, silence } from '../../../test/raw-socket.js';
import { linesOf } from '../../../test/shim-reading.js';
import { dragonballText, goShimText } from '../../../test/shim-texts.js';
import { FakeSubject } from '../../../test/subject.js';
import type { Hypervisor, Runtime } from '../../model/instance.js';
import { gauge, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { Tables } from '../../model/tables.js';
import { ShimScraper } from './scraper.js';

const GOOD = 'kata_agent_x 1\n';
const PATIENCE = { timeout: 20_000 };

let proc: FakeProc;
let root: string;
let settings: Settings;
let tables: Tables;
let scraper: ShimScraper;
const sockets: RawSocket[] = [];
beforeEach(() => {
  proc = new FakeProc();
  root = mkdtempSync(join(tmpdir(), 'vmgauge-shims-'));
  settings = Object.assign(new Settings(), { shimSocketRuntimes: ['go/qemu', 'rust/dragonball', 'rust/qemu', 'rust/firecracker'] });
  // Only what is never asked yet is asked, unless a test says otherwise.
  settings.shimSocketIntervalMs = 3_600_000;
  tables = new Tables();
  scraper = new ShimScraper(proc.host(), settings, tables);
  scraper.limits.deadlineMs = 20_000;
});
afterEach(async () => {
  scraper.onApplicationShutdown();
  for (const socket of sockets.splice(0)) await socket.close();
  rmSync(root, { recursive: true, force: true });
  proc.close();
});

/** Of the uid that the sockets of this test have. */
function shimProcess(): FakeProcess {
  const shim = new FakeProcess();
  const uid = process.getuid?.() ?? 0;
  shim.files.set('status', `Name:\tshim\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\n`);
  return shim;
}

class Trial {
  readonly subject: FakeSubject;
  readonly shim = shimProcess();

  private constructor(
    id: string,
    runtime: Runtime,
    hypervisor: Hypervisor,
    readonly socket: RawSocket,
  ) {
    const vmmInShim = hypervisor === 'dragonball';
    const sandbox = { runtime, hypervisor, vmmInShim, directory: join(root, id) };
    this.subject = new FakeSubject(vmmInShim ? this.shim : new FakeProcess(), id, id, { id, hypervisor, sandbox });
    this.subject.companions.set('shim', this.shim);
  }

  static async of(id: string, reply: Reply, runtime: Runtime = 'go', hypervisor: Hypervisor = 'qemu'): Promise<Trial> {
    mkdirSync(join(root, id));
    const socket = await RawSocket.listen(join(root, id, 'shim-monitor.sock'), reply);
    sockets.push(socket);
    return new Trial(id, runtime, hypervisor, socket);
  }

  get outcome(): Outcome {
    return scraper.look(this.subject).outcome;
  }
}

async function settled(...trials: readonly Trial[]): Promise<void> {
  for (const { subject } of trials) scraper.look(subject);
  await scraper.settle(60_000);
}
const passed = (): string[] => linesOf(scraper.families());

describe('a shim that may be asked', () => {
  it('is asked, and what it says is passed on with its sandbox’s labels, or as it said it', async () => {
    const one = await Trial.of('one', answer(goShimText()));
    expect(one.outcome).toBe(Outcome.busy);
    await settled(one);
    expect(one.outcome).toBe(Outcome.ok);
    expect(passed()).toContain('kata_shim_go_info{version="go1.24.6",sandbox_id="one",cri_uid="",cri_name="",cri_namespace=""} 1');
    expect(linesOf(scraper.own('one'))).toContain('go_info{version="go1.24.6"} 1');
    expect(scraper.own('two')).toEqual([]);
    expect(scraper.families()).toBe(scraper.families());
  });

  it('gives what it last said once more, by family, without being asked', async () => {
    const one = await Trial.of('one', answer(dragonballText()), 'rust', 'dragonball');
    expect(scraper.last(one.subject)).toBeNull();
    scraper.look(one.subject);
    expect(scraper.last(one.subject)).toMatchObject({ outcome: Outcome.busy, isKept: false });
    await settled(one);
    const last = scraper.last(one.subject);
    expect([last?.outcome, last?.isKept, last?.linesOf('kata_hypervisor_none')]).toEqual([Outcome.ok, true, undefined]);
    expect(last?.linesOf('kata_hypervisor_vcpu')?.toString()).toBe(
      passed()
        .filter((line) => line.startsWith('kata_hypervisor_vcpu'))
        .map((line) => `${line}\n`)
        .join(''),
    );
    expect(one.socket.accepted).toBe(1);
    scraper.forget(one.subject);
    expect(scraper.last(one.subject)).toBeNull();
  });

  it('is asked again and again, on its own', async () => {
    settings.shimSocketIntervalMs = 5;
    const one = await Trial.of('one', answer(GOOD));
    scraper.look(one.subject);
    await expect.poll(() => one.socket.accepted, PATIENCE).toBeGreaterThan(4);
  });

  it('is not asked twice at the same time', async () => {
    settings.shimSocketIntervalMs = 1;
    const one = await Trial.of('one', silence);
    scraper.look(one.subject);
    await Promise.all([scraper.settle(300), scraper.settle(300), scraper.settle(300)]);
    scraper.look(one.subject);
    expect(one.socket.accepted).toBe(1);
  });

  it('is not asked twice at the same time when its sandbox was forgotten and is back', async () => {
    settings.shimSocketIntervalMs = 1;
    const one = await Trial.of('one', silence);
    for (let times = 0; times < 3; times++) {
      scraper.look(one.subject);
      await scraper.settle(100);
      scraper.forget(one.subject);
    }
    expect(one.socket.accepted).toBe(1);
  });

  it('that fails is named in the log once, and once more when it answers again', async () => {
    const said = (['warn', 'log'] as const).map((weight) => vi.spyOn(Logger.prototype, weight).mockImplementation(() => undefined));
    settings.shimSocketIntervalMs = 1;
    let good = false;
    const one = await Trial.of('one', (connection) => (good ? answer(GOOD) : answer(GOOD, '500 Sorry'))(connection));
    scraper.look(one.subject);
    await expect.poll(() => one.socket.accepted, PATIENCE).toBeGreaterThan(2);
    good = true;
    await expect.poll(() => one.outcome, PATIENCE).toBe(Outcome.ok);
    await expect
      .poll(() => said.map(({ mock }) => mock.calls), PATIENCE)
      .toEqual([[['shim of one: asked over its socket it gave no metrics (io_error)']], [['shim of one: answers again']]]);
    for (const spy of said) spy.mockRestore();
  });

  it('of runtime-rs gives the agent, the guest and Dragonball’s own', async () => {
    const one = await Trial.of('one', answer(dragonballText()), 'rust', 'dragonball');
    await settled(one);
    expect(new Set(passed().map((line) => /^kata_[a-z]+/.exec(line)?.[0]))).toEqual(
      new Set(['kata_agent', 'kata_guest', 'kata_hypervisor']),
    );
  });

  it('says nothing that is read from the host, or left out by the configuration', async () => {
    tables.sandboxes.column(
      metric({ json: 'shim.threads', family: gauge({ name: 'kata_shim_threads', help: 'T.', identity: 'sandbox' }) }),
    );
    settings.shimExcludeFamilies = ['kata_guest_', 'go_'];
    const one = await Trial.of('one', answer(goShimText()));
    await settled(one);
    expect(passed().filter((line) => /^kata_(guest|shim_go|shim_threads)/.test(line))).toEqual([]);
    expect(scraper.look(one.subject).text?.dropped).toMatchObject({ ours: 1, malformed: 0 });
    expect(one.outcome).toBe(Outcome.ok);
  });

  it('is four at a time with the others', async () => {
    let open = 0;
    let most = 0;
    const reply: Reply = (connection) => {
      most = Math.max(most, ++open);
      setTimeout(() => {
        open--;
        answer(GOOD)(connection);
      }, 20);
    };
    const trials = await Promise.all(Array.from({ length: 12 }, (_, i) => Trial.of(`s-${i}`, reply)));
    await settled(...trials);
    expect(most).toBe(4);
    expect(trials.map(({ outcome }) => outcome)).toEqual(trials.map(() => Outcome.ok));
  });

  it('gets new labels when its pod becomes known', async () => {
    const one = await Trial.of('one', answer(GOOD));
    await settled(one);
    const before = scraper.families();
    const { record } = one.subject;
    const pod = { uid: 'u', name: 'web', namespace: 'shop' };
    one.subject.record = { ...record, sandbox: { vmmInShim: false, ...record.sandbox, pod } };
    expect(scraper.families()).toBe(before);
    one.subject.version++;
    expect(passed()).toEqual(['kata_agent_x{sandbox_id="one",cri_uid="u",cri_name="web",cri_namespace="shop"} 1']);
    expect(scraper.families()).not.toBe(before);
    expect(linesOf(scraper.own('one'))).toEqual(['kata_agent_x 1']);
    expect(one.socket.accepted).toBe(1);
  });
});

describe('a shim that must not be asked', () => {
  it.each([
    ['rust', 'qemu', Outcome.unsupported],
    ['rust', 'firecracker', Outcome.unsupported],
    ['rust', 'stratovirt', Outcome.unsupported],
    ['go', 'unknown', Outcome.unsupported],
    ['go', 'cloud-hypervisor', Outcome.notConfigured],
  ] as const)('%s with %s is never connected to, whatever the configuration says', async (runtime, hypervisor, expected) => {
    settings.shimSocketIntervalMs = 5;
    const never = await Trial.of('never', answer(GOOD), runtime, hypervisor);
    const other = await Trial.of('other', answer(GOOD));
    expect(never.outcome).toBe(expected);
    scraper.look(other.subject);
    await settled(never);
    await expect.poll(() => other.socket.accepted, PATIENCE).toBeGreaterThan(5);
    expect(never.outcome).toBe(expected);
    expect(never.socket.accepted).toBe(0);
  });

  it('is not asked any more once it turns out to be one', async () => {
    settings.shimSocketIntervalMs = 5;
    const one = await Trial.of('one', answer(GOOD));
    await settled(one);
    one.subject.record = { ...one.subject.record, hypervisor: 'unknown' };
    const asked = one.socket.accepted;
    const other = await Trial.of('other', answer(GOOD));
    scraper.look(other.subject);
    await expect.poll(() => other.socket.accepted, PATIENCE).toBeGreaterThan(5);
    // One may have been on its way.
    expect(one.socket.accepted).toBeLessThanOrEqual(asked + 1);
    expect(one.outcome).toBe(Outcome.unsupported);
    expect(passed().filter((line) => line.includes('"one"'))).toEqual([]);
  });
});

describe('an answer that is none', () => {
  const body = goShimText();
  const failures: readonly (readonly [string, Reply, Outcome])[] = [
    ['an error with a body like metrics', answer(body, '500 Internal Server Error'), Outcome.ioError],
    ['not found', answer('URL NOT FOUND', '404 Not Found'), Outcome.unsupported],
    ['a redirect', answer('', '302 Found', { location: '/metrics' }), Outcome.ioError],
    ['partial content', answer(body, '206 Partial Content'), Outcome.ioError],
    ['a web page', answer('<html>\n<body>It works!</body>\n'), Outcome.malformed],
    ['an empty text', answer(''), Outcome.malformed],
    ['half a line', answer('kata_agent_threads 1'), Outcome.malformed],
    ['other people’s metrics', answer('node_load1 5\nup 1\n'), Outcome.malformed],
    ['a body that is cut', cut('HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n', body.slice(0, 4000)), Outcome.ioError],
    ['no HTTP', cut(body), Outcome.malformed],
    ['more than 4 MiB', flood(Buffer.from('kata_agent_x 1\n'.repeat(1000)), { 'content-length': 1e9 }), Outcome.tooLarge],
  ];
  const late = [silence, drip(body, 20), bytes('HTTP/1.1 200')];

  it.each(failures)('%s', async (_, reply, expected) => {
    const bad = await Trial.of('bad', reply);
    const good = await Trial.of('good', answer(GOOD));
    await settled(bad, good);
    expect(bad.outcome).toBe(expected);
    expect(scraper.look(bad.subject)).toMatchObject({ text: null, failures: 1 });
    expect(passed()).toHaveLength(1);
    expect(good.outcome).toBe(Outcome.ok);
    await expect.poll(() => bad.socket.connections, PATIENCE).toBe(0);
  });

  it('costs the others nothing, however many there are', async () => {
    const good = await Promise.all(['a', 'z'].map((id) => Trial.of(id, answer(goShimText(5)))));
    await settled(...good);
    const alone = passed();
    scraper.limits.deadlineMs = 300;
    const replies = [...failures.map(([, reply]) => reply), ...late];
    const bad = await Promise.all(replies.map((reply, index) => Trial.of(`bad-${index}`, reply)));
    await settled(...bad);
    expect(bad.slice(-late.length).map(({ outcome }) => outcome)).toEqual(late.map(() => Outcome.timeout));
    expect(passed()).toEqual(alone);
    expect(alone).toHaveLength(
      2 *
        goShimText(5)
          .split('\n')
          .filter((line) => /^[a-z]/.test(line)).length,
    );
  });

  it('of a socket that belongs to somebody else is not even asked for', async () => {
    const one = await Trial.of('one', answer(GOOD));
    one.shim.files.set('status', 'Uid:\t4242\t4242\t4242\t4242\n');
    if (process.getuid?.() === 0) {
      const { chownSync } = await import('node:fs');
      chownSync(one.socket.path, 77, 77);
    }
    await settled(one);
    expect(one.outcome).toBe(Outcome.notPermitted);
    expect(one.socket.accepted).toBe(0);
  });

  it('leaves what was said before for three intervals', async () => {
    settings.shimSocketIntervalMs = 5;
    const one = await Trial.of('one', answer(GOOD));
    await settled(one);
    one.socket.reply = answer('', '500 Internal Server Error');
    await expect.poll(() => one.outcome, PATIENCE).toBe(Outcome.ioError);
    expect(passed()).toHaveLength(1);
    proc.clock.ms += 15;
    expect(passed()).toHaveLength(1);
    proc.clock.ms += 1;
    expect(passed()).toEqual([]);
    expect(scraper.own('one')).toEqual([]);
  });
});

describe('a sandbox that goes', () => {
  it('is forgotten at once, with what its shim says afterwards', async () => {
    let connected: Parameters<Reply>[0] | undefined;
    const one = await Trial.of('one', (connection) => {
      connected = connection;
    });
    scraper.look(one.subject);
    const asking = scraper.settle(20_000);
    await expect.poll(() => connected, PATIENCE).toBeDefined();
    scraper.forget(one.subject);
    if (connected) answer(GOOD)(connected);
    await asking;
    expect(passed()).toEqual([]);
    const two = await Trial.of('two', answer(GOOD));
    await settled(two);
    expect(passed()).toHaveLength(1);
    scraper.forget(two.subject);
    expect(passed()).toEqual([]);
    expect(scraper.own('two')).toEqual([]);
  });

  it('ends while it is asked: what it said is not believed', async () => {
    const one = await Trial.of('one', (connection) => {
      one.shim.files.set('stat', errno('ESRCH'));
      answer(GOOD)(connection);
    });
    await settled(one);
    expect(one.outcome).toBe(Outcome.gone);
    expect(passed()).toEqual([]);
  });

  it('gets another shim while it is asked: that one is asked', async () => {
    let times = 0;
    const one = await Trial.of('one', (connection) => {
      if (times++ === 0) one.subject.companions.set('shim', shimProcess());
      answer(`kata_agent_x ${times}\n`)(connection);
    });
    await settled(one);
    expect(passed()).toEqual([]);
    expect(one.outcome).toBe(Outcome.busy);
    await scraper.settle(20_000);
    expect(passed().map((line) => line.at(-1))).toEqual(['2']);
  });

  it('gets another shim while it is asked: what the last one failed at is not counted against that one', async () => {
    const one = await Trial.of('one', (connection) => {
      one.subject.companions.set('shim', shimProcess());
      answer('', '500 Internal Server Error')(connection);
    });
    await settled(one);
    expect(scraper.look(one.subject)).toMatchObject({ outcome: Outcome.busy, failures: 0 });
  });

  it('gets another shim: nothing of the last one is left', async () => {
    const one = await Trial.of('one', answer(GOOD));
    await settled(one);
    one.subject.companions.set('shim', shimProcess());
    scraper.look(one.subject);
    expect(passed()).toEqual([]);
    await scraper.settle(20_000);
    expect(passed()).toHaveLength(1);
  });
});

describe('the whole', () => {
  it('waits no longer than it is told', async () => {
    const one = await Trial.of('one', silence);
    scraper.look(one.subject);
    await scraper.settle(100);
    expect(one.outcome).toBe(Outcome.busy);
    expect(one.socket.accepted).toBe(1);
    await scraper.settle(100);
    expect(one.socket.accepted).toBe(1);
  });

  it('of a process that ends soon asks one shim, once, and no other', async () => {
    settings.shimSocketIntervalMs = 5;
    const [one, other] = await Promise.all(['one', 'other'].map((id) => Trial.of(id, answer(GOOD))));
    await scraper.askOnly(one.subject, 20_000);
    expect(passed()).toHaveLength(1);
    for (const { subject } of [one, other]) scraper.look(subject);
    const third = await Trial.of('third', answer(GOOD));
    const another = new ShimScraper(proc.host(), settings, tables);
    another.look(third.subject);
    await expect.poll(() => third.socket.accepted, PATIENCE).toBeGreaterThan(5);
    another.onApplicationShutdown();
    expect([one.socket.accepted, other.socket.accepted]).toEqual([1, 0]);
    const never = await Trial.of('never', answer(GOOD), 'rust', 'qemu');
    await scraper.askOnly(never.subject, 20_000);
    expect(never.socket.accepted).toBe(0);
  });

  it('asks nobody after its end', async () => {
    settings.shimSocketIntervalMs = 5;
    const one = await Trial.of('one', answer(GOOD));
    await settled(one);
    scraper.onApplicationShutdown();
    scraper.look(one.subject);
    const asked = one.socket.accepted;
    const other = await Trial.of('other', answer(GOOD));
    const another = new ShimScraper(proc.host(), settings, tables);
    another.look(other.subject);
    await expect.poll(() => other.socket.accepted, PATIENCE).toBeGreaterThan(5);
    another.onApplicationShutdown();
    expect(one.socket.accepted).toBeLessThanOrEqual(asked + 1);
    expect(passed()).toEqual([]);
  });

  it('holds a bounded amount of text: what is beyond its share is refused, what is small is not', async () => {
    // 20,000 lines of 1.1 KB.
    const large = answer(Array.from({ length: 20_000 }, (_, i) => `kata_agent_x{i="${i}"} 1\n`).join(''));
    const trials = await Promise.all(Array.from({ length: 4 }, (_, i) => Trial.of(`s-${i}`, large)));
    for (const { subject } of trials) {
      const pod = { name: 'x'.repeat(1000) };
      subject.record = { ...subject.record, sandbox: { vmmInShim: false, ...subject.record.sandbox, pod } };
    }
    await settled(...trials);
    const outcomes = trials.map(({ outcome }) => outcome);
    expect(outcomes.sort()).toEqual([Outcome.ok, Outcome.ok, Outcome.ok, Outcome.tooLarge]);
    const small = await Trial.of('small', answer(goShimText()));
    await settled(small);
    expect(small.outcome).toBe(Outcome.ok);
    const bytes = scraper.families().reduce((sum, { bodies }) => sum + bodies.reduce((all, { lines }) => all + lines.length, 0), 0);
    expect(bytes).toBeLessThan(66 << 20);
  });
});
