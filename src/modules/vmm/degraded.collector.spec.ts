import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { statLine } from '../../../test/fake-proc.js';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import { TopicTrial } from '../../../test/topic-trial.js';
import { Outcome } from '../../model/outcome.js';
import { VMM_STATES, type VmmStateWord } from './answer.js';
import { DegradedCollector } from './degraded.collector.js';

/** Between a question and the next sweep. */
const STEP_MS = 5000;
/** Places in the kernel's words for states. */
const CODE = { S: 1, D: 2 } as const;

let trial: TopicTrial;
beforeEach(() => {
  trial = new TopicTrial(DegradedCollector);
  mainLoop('S', 7);
});
afterEach(() => trial.close());

const files = (): FakeProcess['files'] => (trial.subject.process instanceof FakeProcess ? trial.subject.process.files : expect.fail());

/** State letter of the first thread, and how often it had a CPU. */
function mainLoop(state: string, timeslices: number): void {
  files()
    .set('task/4242/stat', statLine({ pid: 4242, state }))
    .set('task/4242/schedstat', `1 2 ${timeslices}\n`);
}

const say = (word: VmmStateWord): Promise<Outcome> => trial.says({ state: { word, state: 'running' } });

/** A question that is not answered, and what a sweep some time later says. */
async function silence(): Promise<Record<string, number>> {
  trial.proc.clock.ms += STEP_MS;
  await trial.says(Outcome.timeout);
  return later();
}
function later(): Record<string, number> {
  trial.proc.clock.ms += STEP_MS;
  trial.sweep();
  return trial.cells();
}

const REASONS = ['internal-error', 'io-error', 'guest-panicked', 'watchdog'];
/** Cells of a VM that was looked at and has nothing of the kind. */
const WELL = Object.fromEntries(
  ['is_degraded', 'monitor_silent', ...REASONS.map((word) => word.replace('-', '_'))].map((word) => [`degraded.${word}`, 0]),
);

describe('what the VMM says', () => {
  it.each(VMM_STATES.filter((word) => word !== 'other' && !REASONS.includes(word)))('is no reason when it is %s', async (word) => {
    expect(await say(word)).toBe(Outcome.ok);
    expect(trial.cells()).toEqual(WELL);
    expect(trial.subject.isDegraded).toBe(false);
  });

  it.each(['internal-error', 'io-error', 'guest-panicked', 'watchdog'] as const)('is a reason when it is %s', async (word) => {
    expect(await say(word)).toBe(Outcome.ok);
    expect(trial.cells()).toEqual({ ...WELL, 'degraded.is_degraded': 1, [`degraded.${word.replace('-', '_')}`]: 1 });
    expect(trial.subject.isDegraded).toBe(true);
    expect(await say('running')).toBe(Outcome.ok);
    expect(trial.cells()).toEqual(WELL);
    expect(trial.subject.isDegraded).toBe(false);
  });

  it('is neither where it was not asked, said nothing of its state, or is somebody else’s', async () => {
    trial.sweep();
    expect(trial.cells()).toEqual({});
    for (const outcome of [Outcome.busy, Outcome.notPermitted, Outcome.malformed]) {
      expect(await trial.says(outcome)).toBeNaN();
      expect(trial.cells()).toEqual({});
    }
    expect(await trial.says({ vcpus: [] })).toBeNaN();
    expect(trial.cells()).toEqual({});
  });

  it('is neither when nobody knows the word', async () => {
    expect(await say('other')).toBe(Outcome.ok);
    expect(trial.cells()).toEqual({});
  });

  it('is not said to be well when it does not answer any more, and stays a reason while it is the last word', async () => {
    await say('running');
    await trial.says(Outcome.busy);
    expect(trial.cells()).toEqual({});
    await say('io-error');
    await trial.says(Outcome.busy);
    expect(trial.cells()).toEqual({ 'degraded.is_degraded': 1, 'degraded.io_error': 1 });
  });

  it('is forgotten with the process', async () => {
    await say('internal-error');
    trial.end();
    expect(trial.subject.isDegraded).toBe(false);
  });
});

describe('a VMM that does not answer', () => {
  it.each(['S', 'D'] as const)('is degraded when its main loop sleeps (%s) through the second question', async (state) => {
    mainLoop(state, 7);
    const idle = (seconds: number): object => ({
      'degraded.main_loop_idle_seconds': seconds * 1000,
      'degraded.main_loop_state': CODE[state],
    });
    expect(await silence()).toEqual(idle(5));
    expect(trial.subject.isDegraded).toBe(false);
    expect(await silence()).toEqual({ ...idle(15), 'degraded.is_degraded': 1, 'degraded.monitor_silent': 1 });
    expect(trial.subject.isDegraded).toBe(true);
    expect(later()).toMatchObject({ ...idle(20), 'degraded.is_degraded': 1 });
  });

  it('is not when its main loop ran since, which ends it at once', async () => {
    await silence();
    mainLoop('S', 8);
    expect(await silence()).not.toHaveProperty('degraded.is_degraded');
    expect(await silence()).toHaveProperty('degraded.is_degraded', 1);
    mainLoop('S', 9);
    expect(later()).not.toHaveProperty('degraded.is_degraded');
    expect(trial.subject.isDegraded).toBe(false);
  });

  it.each(['R', 'T', 't'])('is not when its main loop does not sleep (%s)', async (state) => {
    mainLoop(state, 7);
    for (let round = 0; round < 4; round++) expect(await silence()).not.toHaveProperty('degraded.is_degraded');
    mainLoop('S', 7);
    expect(later()).not.toHaveProperty('degraded.is_degraded');
    expect(await silence()).toHaveProperty('degraded.is_degraded', 1);
  });

  it('is not when it is only busy with somebody else', async () => {
    for (let round = 0; round < 4; round++) {
      trial.proc.clock.ms += STEP_MS;
      expect(await trial.says(Outcome.busy)).toBeNaN();
      expect(later()).toEqual({});
    }
  });

  it('is well again with its first answer', async () => {
    await silence();
    await silence();
    await say('running');
    expect(trial.cells()).toEqual(WELL);
    expect(await silence()).not.toHaveProperty('degraded.is_degraded', 1);
  });

  it('is not judged by another process’s silence', async () => {
    await silence();
    await silence();
    trial.subject.process = new FakeProcess(files());
    trial.sweep();
    expect(trial.subject.isDegraded).toBe(false);
    expect(await silence()).not.toHaveProperty('degraded.is_degraded');
  });

  it.each([
    ['x\n', Outcome.ok],
    ['', Outcome.ok],
    [errno('EACCES'), Outcome.notPermitted],
    [errno('ESRCH'), Outcome.gone],
  ])('is not judged when its main loop cannot be read (%s)', async (content, outcome) => {
    await silence();
    await silence();
    files().set('task/4242/schedstat', content);
    expect(trial.sweep()).toBe(outcome);
    expect(trial.cells()).not.toHaveProperty('degraded.is_degraded');
    expect(trial.subject.isDegraded).toBe(false);
  });
});
