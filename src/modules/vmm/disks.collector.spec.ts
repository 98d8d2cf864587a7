import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TopicTrial } from '../../../test/topic-trial.js';
import { FULL_ANSWER } from '../../../test/vmm-answer.js';
import { Outcome } from '../../model/outcome.js';
import { DISK_NUMBERS, type Disk } from './answer.js';
import { DisksCollector } from './disks.collector.js';

let trial: TopicTrial;
beforeEach(() => {
  trial = new TopicTrial(DisksCollector);
});
afterEach(() => trial.close());

const words = () => trial.tables.disks.order.keys.map((key) => key.words);
const disk = (device: string, readBytes: number): Disk => ({ device, numbers: { readBytes } });

describe('the collector disks', () => {
  it('has a row for each disk, with every number under a place of its own', async () => {
    expect(await trial.says(FULL_ANSWER)).toBe(Outcome.ok);
    const [hostile, first] = trial.parts('disks');
    expect(first.name).toBe('virtio0');
    expect(Object.values(first.cells)).toEqual(DISK_NUMBERS.map((_, index) => 1_000_000_001 + index));
    expect(hostile).toEqual({ name: 'sd"0?', cells: { read_bytes: 0 } });
    expect(trial.cells()).toEqual({ 'vmm.dropped.disks': 0 });
  });

  it('has nanoseconds and microseconds as seconds', () => {
    const decimals = new Map(trial.tables.disks.columns.map(({ metric }) => [metric.json, metric.decimals]));
    expect(decimals.get('read_seconds')).toBe(9);
    expect(decimals.get('lifetime_write_latency_max_seconds')).toBe(6);
    expect(decimals.get('read_bytes')).toBe(0);
  });

  it('has what is known of a disk in words, which change when a medium does', async () => {
    await trial.says(FULL_ANSWER);
    expect(words()).toEqual([{ file: 'C:\\b' }, { file: '/img/a.qcow2', format: 'qcow2', readOnly: false }]);
    const before = words();
    await trial.says({ disks: FULL_ANSWER.disks.map((one) => ({ ...one })) });
    expect(words()).toEqual(before);
    for (const [index, one] of words().entries()) expect(one).toBe(before[index]);
    await trial.says({ disks: [{ ...FULL_ANSWER.disks[0], file: '/img/other.iso' }] });
    expect(words()).toEqual([{ file: '/img/other.iso', format: 'qcow2', readOnly: false }]);
  });

  it('follows disks that come and go, and empties what is not told any more', async () => {
    await trial.says({ disks: [disk('a', 1), disk('b', 2)] });
    await trial.says({ disks: [{ device: 'b', numbers: { writes: 3 } }, disk('c', 4)] });
    expect(trial.parts('disks')).toEqual([
      { name: 'b', cells: { writes: 3 } },
      { name: 'c', cells: { read_bytes: 4 } },
    ]);
  });

  it('has no row where there is no disk, and says ok', async () => {
    await trial.says(FULL_ANSWER);
    expect(await trial.says({ disks: [] })).toBe(Outcome.ok);
    expect(trial.parts('disks')).toEqual([]);
  });

  it('shows one of two of the same name and a bounded number, and counts the others', async () => {
    const many = Array.from({ length: 600 }, (_, i) => disk(`d${i}`, i));
    expect(await trial.says({ disks: [disk('d0', 7), ...many] })).toBe(Outcome.ok);
    expect(trial.parts('disks')).toHaveLength(512);
    expect(trial.parts('disks')[0]).toEqual({ name: 'd0', cells: { read_bytes: 7 } });
    expect(trial.cells()).toEqual({ 'vmm.dropped.disks': 89 });
  });

  it('leaves out what is no number', async () => {
    await trial.says({ disks: [{ device: 'a', numbers: { reads: 2 ** 63, writes: -1, flushes: Number.NaN, readBytes: 2 ** 53 } }] });
    expect(trial.parts('disks')).toEqual([{ name: 'a', cells: { read_bytes: 2 ** 53 } }]);
  });

  it('loses all rows with the reason, with the answer, and with the process', async () => {
    await trial.says(FULL_ANSWER);
    expect(await trial.says({ disks: Outcome.unsupported })).toBe(Outcome.unsupported);
    expect([trial.parts('disks'), trial.cells()]).toEqual([[], {}]);
    await trial.says(FULL_ANSWER);
    expect(trial.parts('disks')).toHaveLength(2);
    trial.proc.clock.ms += 10 * 60_000;
    trial.asker.look(trial.subject);
    expect(trial.sweep()).toBeNaN();
    expect(trial.tables.disks.size).toBe(0);
    await trial.says(FULL_ANSWER);
    expect(trial.parts('disks')).toHaveLength(2);
    trial.end();
    expect(trial.tables.disks.size).toBe(0);
  });

  it('shows the same answer again after its rows were cleared', async () => {
    await trial.says(FULL_ANSWER);
    const { process } = trial.subject;
    trial.subject.process = null;
    expect(trial.sweep()).toBe(Outcome.gone);
    trial.subject.process = process;
    expect(trial.sweep()).toBe(Outcome.ok);
    expect(trial.parts('disks')).toHaveLength(2);
  });
});
