import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FakeProc, statLine } from '../../../test/fake-proc.js';
import { FakeProcess } from '../../../test/fake-process.js';
import { FakeSubject } from '../../../test/subject.js';
import { ALL_ON, FakeSession, hist, numbers, TICK } from '../../../test/telling.js';
import type { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { emptyMeasure } from './measure.js';
import { TracedProcesses } from './traced-processes.js';

const proc = new FakeProc();
const real = proc.host();
proc.close();

/** What may happen to a VM that sends all the time, to who counts it, and to who asks. */
const DEEDS = ['send', 'tell', 'tell half', 'sweep', 'begin', 'begin without bytes', 'end', 'wait', 'hide', 'come anew'] as const;

/** The world that the kernel and `ss` look at, each from its own beginning. */
class World {
  /** Bytes that were really sent. */
  total = 0;
  now = 0;
  private readonly host = Object.assign(Object.create(real) as Host, { clock: { now: () => 0, monotonic: () => this.now } });
  private readonly vmm = new FakeProcess(new Map([['stat', statLine({ pid: 4242 })]]));
  readonly subject = new FakeSubject(this.vmm);
  private lookedAt: number | null = null;
  private isHidden = false;
  private session: FakeSession | null = null;
  /** By key: bytes that had been sent when it was enrolled. */
  private readonly enrolled = new Map<number, number>();
  readonly traced = new TracedProcesses(this.host, new Settings(), () => Outcome.notPermitted, { measureOf: () => this.plain() });

  async does(deed: (typeof DEEDS)[number]): Promise<void> {
    if (deed === 'send') this.total += 1000;
    if (deed === 'tell' || deed === 'tell half') await this.tell(deed === 'tell');
    if (deed === 'begin' || deed === 'begin without bytes') await this.begin(deed === 'begin');
    if (deed === 'end') await this.end();
    if (deed === 'wait') this.now += 50_000;
    if (deed === 'hide') this.isHidden = !this.isHidden;
    if (deed === 'come anew') this.traced.detach(this.subject);
    if (deed === 'come anew') this.traced.attach(this.subject);
  }

  /** @returns bytes that are shown, and observations; null where nothing is */
  sweep(): { readonly bytes: number; readonly rtts: number } | null {
    this.traced.look();
    const reading = this.traced.of(this.subject);
    if (typeof reading === 'number') return null;
    const [measure] = reading.instance.names.values();
    return { bytes: measure.amounts.get('send_bytes') ?? 0, rtts: measure.timings.get('rtt')?.count ?? 0 };
  }

  private plain() {
    if (this.isHidden) return null;
    this.lookedAt ??= this.total;
    const measure = emptyMeasure();
    measure.amounts.set('send_bytes', this.total - this.lookedAt);
    return measure;
  }

  private async begin(countsBytes: boolean): Promise<void> {
    await this.end();
    this.session = new FakeSession(1024, countsBytes ? ALL_ON : { ...ALL_ON, bytes: 'missing_tracepoint' });
    this.enrolled.clear();
    this.session.heard = ([word]) => {
      if (word % 2 ** 28 > 0 && !this.enrolled.has(word % 2 ** 28)) this.enrolled.set(word % 2 ** 28, this.total);
    };
    this.traced.began(this.session);
    await settled();
  }

  private async end(): Promise<void> {
    if (this.session) this.traced.ended();
    this.session = null;
    await settled();
  }

  private async tell(isWhole: boolean): Promise<void> {
    if (!this.session) return;
    for (const [key, since] of this.enrolled) {
      const sent = this.total - since;
      if (sent === 0) continue;
      if (this.session.blocks.bytes === null) this.traced.line(numbers('net', { [`${key},1`]: sent }));
      this.traced.line(hist('rtt', { [key]: new Array<number>(sent / 1000).fill(150_000) }));
    }
    this.traced.line(numbers('vm', { 4242: Math.max(0, ...this.enrolled.keys()) }));
    if (isWhole) this.traced.line(TICK);
    await settled();
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise(setImmediate);
}

it('whatever ends, begins or is hidden: nothing goes back, and nothing is counted twice', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...DEEDS), { minLength: 20, maxLength: 60 }), async (deeds) => {
      const world = new World();
      world.traced.attach(world.subject);
      let shown = { bytes: 0, rtts: 0 };
      for (const deed of deeds) {
        await world.does(deed);
        // Another instance under the same name begins at nothing.
        if (deed === 'come anew') shown = { bytes: 0, rtts: 0 };
        const now = deed === 'sweep' ? world.sweep() : null;
        if (!now) continue;
        expect(now.bytes).toBeGreaterThanOrEqual(shown.bytes);
        expect(now.rtts).toBeGreaterThanOrEqual(shown.rtts);
        expect(now.bytes).toBeLessThanOrEqual(world.total);
        expect(now.rtts).toBeLessThanOrEqual(world.total / 1000);
        shown = now;
      }
    }),
    // Between two looks a life told of a part, and ended.
    {
      numRuns: 500,
      examples: [
        [['sweep', 'begin', 'send', 'tell', 'send', 'begin without bytes', 'sweep']],
        [['sweep', 'begin', 'send', 'tell', 'end', 'sweep']],
      ],
    },
  );
});
