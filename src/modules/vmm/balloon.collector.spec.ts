import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TopicTrial } from '../../../test/topic-trial.js';
import { FULL_ANSWER } from '../../../test/vmm-answer.js';
import { Outcome } from '../../model/outcome.js';
import { BalloonCollector } from './balloon.collector.js';

const MIB = 2 ** 20;
let trial: TopicTrial;
beforeEach(() => {
  trial = new TopicTrial(BalloonCollector);
});
afterEach(() => trial.close());

/** Places below memory.balloon. */
async function balloon(reply: Parameters<TopicTrial['says']>[0]): Promise<Record<string, number>> {
  await trial.says(reply);
  return Object.fromEntries(Object.entries(trial.cells()).map(([place, value]) => [place.replace('memory.balloon.', ''), value]));
}

describe('the collector balloon', () => {
  it('has what the VMM tells, and what the balloon holds by what the VM has', async () => {
    expect(await balloon(FULL_ANSWER)).toEqual({
      actual_bytes: 80 * MIB,
      held_bytes: 48 * MIB,
      target_held_bytes: 49 * MIB,
      inflations: 7,
      deflations: 5,
    });
  });

  it('has what is left to the guest where the VMM tells what the balloon holds', async () => {
    expect(await balloon({ balloon: { heldBytes: 3 * MIB }, memory: { bytes: 10 * MIB } })).toEqual({
      actual_bytes: 7 * MIB,
      held_bytes: 3 * MIB,
    });
  });

  it('believes a VMM that tells both, even where they do not add up', async () => {
    const told = { actualBytes: 5 * MIB, heldBytes: 4 * MIB };
    expect(await balloon({ balloon: told, memory: { bytes: 10 * MIB } })).toEqual({ actual_bytes: 5 * MIB, held_bytes: 4 * MIB });
  });

  it.each([
    ['not told', Outcome.unsupported],
    ['told without a number', {}],
  ] as const)('leaves the other one out where the memory of the VM is %s', async (_, memory) => {
    expect(await balloon({ balloon: { actualBytes: MIB }, memory })).toEqual({ actual_bytes: MIB });
    expect(await balloon({ balloon: { heldBytes: MIB }, memory })).toEqual({ held_bytes: MIB });
  });

  it('has no number below nothing', async () => {
    expect(await balloon({ balloon: { actualBytes: 2 * MIB }, memory: { bytes: MIB } })).toEqual({ actual_bytes: 2 * MIB });
  });

  it('says why there is none', async () => {
    expect(await trial.says({ balloon: Outcome.notConfigured })).toBe(Outcome.notConfigured);
    expect(await trial.says({ balloon: {}, memory: { bytes: MIB } })).toBe(Outcome.unsupported);
    expect(trial.cells()).toEqual({});
  });
});
