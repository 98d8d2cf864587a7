import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TopicTrial } from '../../../test/topic-trial.js';
import { Outcome } from '../../model/outcome.js';
import { VMM_STATES } from './answer.js';
import { VmmStateCollector } from './vmm-state.collector.js';

let trial: TopicTrial;
beforeEach(() => {
  trial = new TopicTrial(VmmStateCollector);
});
afterEach(() => trial.close());

const CRASHED = { state: { word: 'internal-error', state: 'degraded' } } as const;

describe('the collector vmm_state', () => {
  it('says what the VMM says, in its word and in the house’s', async () => {
    expect(await trial.says({ ...CRASHED, version: 'QEMU 7.2.22' })).toBe(Outcome.ok);
    expect(trial.cells()).toEqual({ 'vmm.state': VMM_STATES.indexOf('internal-error') });
    expect(trial.subject.vmmState).toBe('degraded');
    expect(trial.subject.vmmWords).toEqual({ dialogue: 'qmp', version: 'QEMU 7.2.22' });
  });

  it('follows the VMM', async () => {
    await trial.says({ state: { word: 'paused', state: 'paused' } });
    expect(trial.subject.vmmState).toBe('paused');
    await trial.says({ state: { word: 'running', state: 'running' } });
    expect(trial.subject.vmmState).toBe('running');
    expect(trial.cells()).toEqual({ 'vmm.state': VMM_STATES.indexOf('running') });
  });

  it('has no turn while nothing was answered', () => {
    expect(trial.sweep()).toBeNaN();
    expect([trial.cells(), trial.subject.vmmState, trial.subject.vmmWords]).toEqual([{}, null, null]);
  });

  it('takes everything back once the answer is too old', async () => {
    await trial.says({ ...CRASHED, version: 'QEMU 7.2.22' });
    trial.proc.clock.ms += 10 * 60_000;
    trial.asker.look(trial.subject);
    expect(trial.sweep()).toBeNaN();
    expect([trial.cells(), trial.subject.vmmState, trial.subject.vmmWords]).toEqual([{}, null, null]);
  });

  it('leaves it unknown what a VM does whose VMM told it and is silent now', async () => {
    await trial.says({ state: { word: 'paused', state: 'paused' } });
    trial.proc.clock.ms += 10 * 60_000;
    await trial.says(Outcome.timeout);
    expect(trial.subject.vmmState).toBe('unknown');
    await trial.says({ state: { word: 'running', state: 'running' } });
    expect(trial.subject.vmmState).toBe('running');
  });

  it('keeps what the VMM is called when the VMM answers and does not tell its state', async () => {
    await trial.says({ ...CRASHED, version: 'QEMU 7.2.22' });
    expect(await trial.says({ state: Outcome.malformed, version: 'QEMU 7.2.22' })).toBe(Outcome.malformed);
    expect([trial.cells(), trial.subject.vmmState]).toEqual([{}, null]);
    expect(trial.subject.vmmWords).toEqual({ dialogue: 'qmp', version: 'QEMU 7.2.22' });
  });

  it('is gone with the process, and so is what the instance was said to do', async () => {
    await trial.says(CRASHED);
    trial.subject.process = null;
    expect(trial.sweep()).toBe(Outcome.gone);
    expect([trial.cells(), trial.subject.vmmState]).toEqual([{}, null]);
    trial.subject.vmmState = 'degraded';
    trial.end();
    expect([trial.subject.vmmState, trial.subject.vmmWords]).toEqual([null, null]);
  });

  it('makes new words only when they changed: labels are rendered by them', async () => {
    await trial.says({ ...CRASHED, version: 'one' });
    const words = trial.subject.vmmWords;
    trial.sweep();
    expect(trial.subject.vmmWords).toBe(words);
    await trial.says({ ...CRASHED, version: 'two' });
    expect(trial.subject.vmmWords).toEqual({ dialogue: 'qmp', version: 'two' });
    await trial.says(CRASHED);
    expect(trial.subject.vmmWords).toEqual({ dialogue: 'qmp', version: null });
  });
});
