import { beforeEach, describe, expect, it } from 'vitest';
import { StoppedClock } from '../../../test/fake-proc.js';
import { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import { Settings, type TracingBlock } from '../../model/settings.js';
import type { TracingClient, TracingSession } from './session.js';
import { TraceSupervisor } from './supervisor.js';
import {
  allOff,
  type Hindrance,
  type Started,
  statesOf,
  type TraceEnd,
  type TraceListener,
  type TraceRequest,
  type TraceSource,
} from './trace-source.js';

const TICK = '{"type": "printf", "data": "tick 123\\n"}';
const SECOND = 1000;

/** A run that does what the test says. */
class FakeRun {
  isEnded = false;
  isAsked = false;
  readonly rung: number[] = [];

  constructor(
    readonly request: TraceRequest,
    private readonly listener: TraceListener,
  ) {}

  say(...lines: readonly string[]): void {
    for (const line of lines) this.listener.line(line);
  }
  over(end: Partial<TraceEnd> = {}): void {
    this.isEnded = true;
    this.listener.ended({ cause: 'exited', block: null, reason: 'crashed', words: '', ...end });
  }
  fail(end: Partial<TraceEnd> = {}): void {
    this.over({ cause: 'failed', reason: 'verifier', words: 'ERROR: it is refused', ...end });
  }
  ring(numbers: readonly number[]): void {
    this.rung.push(...numbers);
  }
  renew(): void {}
  end(): void {
    this.isAsked = true;
  }
}

class FakeSource implements TraceSource {
  pauseMs = 0;
  found: Hindrance | null = null;
  refusal: Hindrance | null = null;
  looks = 0;
  /** Blocks that the kernel offers nothing for. */
  lacking: readonly TracingBlock[] = [];
  readonly runs: FakeRun[] = [];

  hindrance(): Hindrance | null {
    this.looks++;
    return this.found;
  }
  async start(request: TraceRequest, listener: TraceListener): Promise<Started> {
    if (this.refusal) return { run: null, blocks: allOff(request.blocks, this.refusal.reason), hindrance: this.refusal };
    const run = new FakeRun(request, listener);
    this.runs.push(run);
    const blocks = statesOf((block) =>
      request.blocks.includes(block) ? (this.lacking.includes(block) ? 'missing_tracepoint' : null) : 'not_wanted',
    );
    return { run, blocks };
  }
}

class FakeClient implements TracingClient {
  wanted = true;
  readonly heard: string[] = [];
  session: TracingSession | null = null;
  isWanted = (): boolean => this.wanted;
  slots = (): number => 4096;
  began(session: TracingSession): void {
    this.session = session;
    this.heard.push('began');
  }
  line(text: string): void {
    this.heard.push(text);
  }
  ended(reason: string): void {
    this.heard.push(`ended ${reason}`);
  }
}

let clock: StoppedClock;
let settings: Settings;
let source: FakeSource;
let client: FakeClient;
let log: string[];
let tracing: TraceSupervisor;
beforeEach(() => {
  clock = new StoppedClock();
  settings = Object.assign(new Settings(), { tracing: 'auto' });
  source = new FakeSource();
  client = new FakeClient();
  log = [];
  tracing = new TraceSupervisor(new Host({}, clock), settings, source, (line, isNews) => isNews && log.push(line));
  tracing.serve(client);
});

const run = (): FakeRun => source.runs.at(-1) ?? expect.fail('nothing was started');
/** Looks each second for so long. */
const pass = async (seconds: number, each: () => void = () => undefined): Promise<Outcome> => {
  let outcome: Outcome = Outcome.busy;
  for (let i = 0; i < seconds; i++) {
    clock.ms += SECOND;
    each();
    outcome = await tracing.supervise();
  }
  return outcome;
};
const ticking = (): void => {
  if (!run().isEnded) run().say(TICK);
};
/** Until something is started. */
const started = async (within = 70): Promise<number> => {
  const before = source.runs.length;
  for (let i = 0; i < within; i++) {
    await pass(1);
    if (source.runs.length > before) return i + 1;
  }
  return expect.fail('nothing was started');
};
const up = async (): Promise<void> => {
  await started();
  run().say(TICK);
  expect(tracing.isUp).toBe(true);
};
const endsOf = (): Record<string, number> => Object.fromEntries([...tracing.ends].filter(([, count]) => count > 0));

describe('what is traced', () => {
  it('begins with the first tick, and not with what was said before', async () => {
    expect(await tracing.supervise()).toBe(Outcome.busy);
    run().say('{"type": "attached_probes", "data": {"probes": 28}}', '', '{"type": "map", "data": {"@vm": {}}}');
    expect(client.heard).toEqual([]);
    expect(tracing.blocks).toBeNull();
    run().say(TICK, '', 'more');
    expect(client.heard).toEqual(['began', TICK, 'more']);
    expect(await tracing.supervise()).toBe(Outcome.ok);
    expect(tracing.blocks).toEqual(statesOf((block) => (block === 'guest-dns' || block === 'plain-files' ? 'not_wanted' : null)));
    expect(client.session?.slots).toBe(4096);
    client.session?.ring([1, 2]);
    expect(run().rung).toEqual([1, 2]);
    expect(tracing.lastTickMs).toBe(clock.now());
  });

  it('is asked for with what is configured', async () => {
    settings.tracingBlocks = ['cpu', 'plain-files'];
    settings.tracingIntervalMs = 7000;
    await up();
    expect(run().request).toEqual({ blocks: ['cpu', 'plain-files'], intervalMs: 7000, slots: 4096 });
  });

  it('is nothing where tracing is off, and nothing is looked at', async () => {
    settings.tracing = 'off';
    expect(await pass(100)).toBe(Outcome.notConfigured);
    expect([source.looks, source.runs.length, tracing.blocks, tracing.lookNow()]).toEqual([0, 0, null, null]);
  });

  it('is nothing while nobody wants it, and ends a minute after', async () => {
    client.wanted = false;
    expect(await pass(10)).toBe(Outcome.ok);
    expect(source.runs).toEqual([]);
    expect(tracing.blocks?.cpu).toBe('not_wanted');
    client.wanted = true;
    await up();
    client.wanted = false;
    await pass(30, ticking);
    client.wanted = true;
    await pass(1, ticking);
    client.wanted = false;
    await pass(60, ticking);
    expect(run().isAsked).toBe(false);
    await pass(1, ticking);
    expect(run().isAsked).toBe(true);
    expect(tracing.isUp).toBe(false);
    run().over();
    expect(client.heard.at(-1)).toBe('ended not_wanted');
    expect(endsOf()).toEqual({ not_wanted: 1 });
    await pass(100);
    expect(source.runs).toHaveLength(1);
  });

  it.each([
    ['no_bpftrace', Outcome.notConfigured],
    ['no_tracefs', Outcome.notConfigured],
    ['no_helper', Outcome.notConfigured],
    ['no_permission', Outcome.notPermitted],
    ['lockdown', Outcome.lockdown],
    ['no_btf', Outcome.unsupported],
  ] as const)('is nothing where there is %s, and that is looked at again each minute', async (reason, outcome) => {
    source.found = { reason, words: 'it is so' };
    expect(await tracing.supervise()).toBe(outcome);
    expect(await pass(59)).toBe(outcome);
    expect(source.looks).toBe(1);
    expect(tracing.blocks).toEqual(allOff(settings.tracingBlocks, reason));
    source.found = null;
    expect(await pass(1)).toBe(Outcome.busy);
    run().say(TICK);
    expect(tracing.blocks?.cpu).toBeNull();
    expect(tracing.hindrance).toBeNull();
  });

  it('is warned of in the log where it was asked for, once', async () => {
    settings.tracing = 'on';
    source.found = { reason: 'no_bpftrace', words: 'there is no bpftrace' };
    await pass(300);
    expect(log).toEqual(['nothing is traced: there is no bpftrace']);
  });

  it('is what a helper gives, asked again after growing pauses', async () => {
    source.refusal = { reason: 'no_helper', words: 'another is served' };
    expect(await tracing.supervise()).toBe(Outcome.notConfigured);
    expect(tracing.hindrance).toEqual(source.refusal);
    source.refusal = null;
    expect(await pass(1)).toBe(Outcome.busy);
    run().say(TICK);
    expect(tracing.hindrance).toBeNull();
  });
});

describe('a program that ends', () => {
  it('is started again after 1, 2, 4 … 60 seconds', async () => {
    const pauses: number[] = [];
    await started();
    for (let i = 0; i < 9; i++) {
      run().over();
      pauses.push(await started());
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
    expect(tracing.starts).toBe(10);
    expect(endsOf()).toEqual({ crashed: 9 });
  });

  it('says so while it is down', async () => {
    await up();
    run().over({ words: 'out of memory' });
    expect(client.heard.at(-1)).toBe('ended crashed');
    run().over();
    expect(tracing.blocks?.cpu).toBe('crashed');
    client.session?.ring([3]);
    expect(run().rung).toEqual([]);
    await pass(1);
    run().over();
    expect(await pass(1)).toBe(Outcome.ioError);
    expect(log[0]).toBe('bpftrace: crashed: out of memory');
  });

  it('is forgiven after five quiet minutes', async () => {
    await up();
    for (let i = 0; i < 5; i++) {
      run().over();
      await up();
    }
    await pass(299, ticking);
    expect(await pass(1, ticking)).toBe(Outcome.ok);
    run().over();
    expect(await started()).toBe(1);
  });

  it.each([
    ['flooded', 'flooded'],
    ['gone', 'helper_gone'],
    ['failed', 'crashed'],
  ] as const)('after %s is counted as %s', async (cause, ending) => {
    await up();
    run().over({ cause });
    expect(endsOf()).toEqual({ [ending]: 1 });
    expect(client.heard.at(-1)).toBe('ended crashed');
  });
});

describe('a program that is silent', () => {
  it('is ended when it has not ticked after 30 seconds and an interval', async () => {
    await started();
    await pass(35);
    expect(run().isAsked).toBe(false);
    await pass(2);
    expect(run().isAsked).toBe(true);
    run().say(TICK);
    expect(client.heard).toEqual([]);
    run().over();
    expect(endsOf()).toEqual({ start_timeout: 1 });
    expect(await tracing.supervise()).toBe(Outcome.timeout);
  });

  it('is ended three intervals and five seconds after its last tick', async () => {
    await up();
    await pass(20);
    expect(run().isAsked).toBe(false);
    await pass(2, () => run().say('not a tick', '{"type": "map", "data": {"@x": "tick"}}'));
    expect(run().isAsked).toBe(true);
    expect(await pass(1)).toBe(Outcome.busy);
    run().over();
    expect(endsOf()).toEqual({ stalled: 1 });
    expect(client.heard.at(-1)).toBe('ended crashed');
  });

  it('is not to blame where this process slept', async () => {
    await up();
    clock.ms += 3600 * SECOND;
    await tracing.supervise();
    run().say(TICK);
    await pass(1, ticking);
    expect(run().isAsked).toBe(false);
  });

  it('is never started a second time while the first has not ended', async () => {
    await up();
    await pass(500);
    expect(source.runs).toHaveLength(1);
  });
});

describe('a renewal', () => {
  it('is made when the session asks for it, and not twice in ten seconds', async () => {
    await up();
    client.session?.renew();
    await pass(9, ticking);
    expect(run().isAsked).toBe(false);
    await pass(1, ticking);
    expect(run().isAsked).toBe(true);
    run().say('last words', TICK);
    run().over();
    run().say('of the dead');
    expect(await started()).toBe(1);
    expect(endsOf()).toEqual({ renewed: 1 });
    expect(client.heard.slice(-3)).toEqual(['last words', TICK, 'ended not_wanted']);
  });

  it('is made after a day', async () => {
    await up();
    const life = run();
    for (let i = 0; i < 1439; i++) {
      clock.ms += 60 * SECOND;
      life.say(TICK);
      await tracing.supervise();
    }
    expect(life.isAsked).toBe(false);
    await pass(60, ticking);
    expect(life.isAsked).toBe(true);
  });
});

describe('a block that cannot be attached', () => {
  it('is left out where the complaint names it', async () => {
    await started();
    run().fail({ block: 'dns', reason: 'missing_tracepoint' });
    expect(await started()).toBe(1);
    expect(run().request.blocks).toEqual(['cpu', 'tcp', 'bytes', 'files', 'uring']);
    run().say(TICK);
    expect(tracing.blocks?.dns).toBe('missing_tracepoint');
    expect(client.session?.blocks.dns).toBe('missing_tracepoint');
    expect(tracing.attachFailures).toEqual([{ block: 'dns', reason: 'missing_tracepoint', count: 1 }]);
    expect(endsOf()).toEqual({ attach: 1 });
  });

  /** A kernel that refuses these, without a word that says which. */
  const kernelRefusing = async (...refused: readonly TracingBlock[]): Promise<void> => {
    for (let i = 0; i < 60 && !tracing.isUp && tracing.hindrance === null; i++) {
      await pass(1);
      const now = source.runs.at(-1);
      if (!now || now.isEnded) continue;
      if (now.request.blocks.some((block) => refused.includes(block))) now.fail();
      else now.say(TICK);
      if (now.isAsked) now.over();
    }
  };

  it.each([[['cpu']], [['uring']], [['tcp', 'uring']], [['tcp', 'bytes', 'dns', 'files', 'uring']]] as const)(
    'is found by trying, at one try a block: %j',
    async (refused) => {
      await kernelRefusing(...refused);
      expect(tracing.isUp).toBe(true);
      expect(run().request).toMatchObject({
        blocks: settings.tracingBlocks.filter((block) => !refused.some((one) => one === block)),
        intervalMs: 5000,
      });
      expect(source.runs.length).toBeLessThanOrEqual(settings.tracingBlocks.length + 2);
      for (const block of settings.tracingBlocks)
        expect(tracing.blocks?.[block]).toBe(refused.some((one) => one === block) ? 'verifier' : null);
      expect(tracing.attachFailures.map(({ block }) => block)).toEqual(refused);
      // No try was a life for the client.
      expect(client.heard).toEqual(['began', TICK]);
    },
  );

  it('is each of them: nothing is traced, and tried again after an hour', async () => {
    await kernelRefusing(...settings.tracingBlocks);
    const { length } = source.runs;
    expect(length).toBe(settings.tracingBlocks.length + 1);
    expect(tracing.hindrance?.reason).toBe('verifier');
    expect(tracing.blocks).toEqual(allOff(settings.tracingBlocks, 'verifier'));
    expect(await pass(3590)).toBe(Outcome.unsupported);
    expect(source.runs).toHaveLength(length);
    await pass(20);
    expect(source.runs).toHaveLength(length + 1);
  });

  it('and all together cannot, though each can: that is not tried without end', async () => {
    for (let i = 0; i < 200; i++) {
      await pass(1);
      const now = source.runs.at(-1);
      if (!now || now.isEnded) continue;
      if (now.request.intervalMs === 5000) now.fail();
      else now.say(TICK);
      if (now.isAsked) now.over();
    }
    expect(source.runs.length).toBeLessThanOrEqual(settings.tracingBlocks.length + 2);
    expect(await pass(1)).toBe(Outcome.unsupported);
  });

  it.each([
    ['no_permission', Outcome.notPermitted],
    ['lockdown', Outcome.lockdown],
  ] as const)('is none where it is %s that all lack', async (reason, outcome) => {
    await started();
    run().fail({ block: 'cpu', reason, words: 'no' });
    expect(await pass(1)).toBe(outcome);
    expect(tracing.attachFailures).toEqual([]);
    expect(await started()).toBeGreaterThan(50);
  });

  it('is known from the kernel already, and nothing is tried', async () => {
    source.lacking = ['bytes'];
    await up();
    expect(tracing.blocks?.bytes).toBe('missing_tracepoint');
    expect(tracing.starts).toBe(1);
  });
});

describe('the end', () => {
  it('ends what runs, and nothing is started any more', async () => {
    await up();
    tracing.close();
    expect(run().isAsked).toBe(true);
    run().over();
    await pass(100);
    expect(source.runs).toHaveLength(1);
    expect(endsOf()).toEqual({ closed: 1 });
  });

  it('ends what is being started', async () => {
    const look = tracing.supervise();
    tracing.close();
    await look;
    expect(run().isAsked).toBe(true);
  });
});
