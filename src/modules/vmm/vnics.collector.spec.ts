import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TopicTrial } from '../../../test/topic-trial.js';
import { FULL_ANSWER } from '../../../test/vmm-answer.js';
import { Outcome } from '../../model/outcome.js';
import { VNIC_NUMBERS } from './answer.js';
import { VnicsCollector } from './vnics.collector.js';

let trial: TopicTrial;
beforeEach(() => {
  trial = new TopicTrial(VnicsCollector);
});
afterEach(() => trial.close());

describe('the collector vnics', () => {
  it('has a row for each device, with every number under a place of its own', async () => {
    expect(await trial.says(FULL_ANSWER)).toBe(Outcome.ok);
    const [{ name, cells }] = trial.parts('vnics');
    expect(name).toBe('net0');
    expect(Object.values(cells)).toEqual(VNIC_NUMBERS.map((_, index) => 2_000 + index));
    expect(cells).toMatchObject({ received_bytes: 2_000, transmitted_bytes: 2_005 });
    expect(trial.cells()).toEqual({ 'vmm.dropped.devices': 0 });
  });

  it('counts the devices that it does not show', async () => {
    const device = 'eth0';
    await trial.says({ vnics: [1, 2, 3].map((receivedBytes) => ({ device, numbers: { receivedBytes } })) });
    expect(trial.parts('vnics')).toEqual([{ name: device, cells: { received_bytes: 1 } }]);
    expect(trial.cells()).toEqual({ 'vmm.dropped.devices': 2 });
  });

  it('has new numbers with each answer, and none without', async () => {
    const says = (receivedFrames: number) => trial.says({ vnics: [{ device: 'a', numbers: { receivedFrames } }] });
    await says(1);
    await says(2);
    expect(trial.parts('vnics')).toEqual([{ name: 'a', cells: { received_frames: 2 } }]);
    expect(await trial.says({ vnics: Outcome.unsupported })).toBe(Outcome.unsupported);
    expect(trial.tables.vnics.size).toBe(0);
    await says(3);
    trial.end();
    expect(trial.tables.vnics.size).toBe(0);
  });
});
