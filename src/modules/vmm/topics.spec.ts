import { afterEach, describe, expect, it } from 'vitest';
import { TopicTrial } from '../../../test/topic-trial.js';
import { EMPTY_ANSWER, FULL_ANSWER } from '../../../test/vmm-answer.js';
import { allocatedMemory } from '../../model/collector.js';
import { Outcome } from '../../model/outcome.js';
import { MIGRATION_STATES, VMM_EVENTS } from './answer.js';
import { ExitsCollector } from './exits.collector.js';
import { MigrationCollector } from './migration.collector.js';
import { VmmEventsCollector } from './vmm-events.collector.js';
import { VmmMemoryCollector } from './vmm-memory.collector.js';

const MIB = 2 ** 20;
let trial: TopicTrial;
afterEach(() => trial.close());

const TOPICS = [
  {
    Listed: VmmMemoryCollector,
    topic: 'memory',
    full: { 'memory.vmm.allocated_bytes': 128 * MIB, 'memory.vmm.hotplugged_bytes': 16 * MIB, 'memory.vmm.max_bytes': 512 * MIB },
    some: [{ bytes: 5 }, { 'memory.vmm.allocated_bytes': 5 }],
  },
  {
    Listed: ExitsCollector,
    topic: 'exits',
    full: { 'exits.io_in': 11, 'exits.io_out': 12, 'exits.mmio_read': 13, 'exits.mmio_write': 14, 'exits.failures': 0 },
    some: [{ failures: 0 }, { 'exits.failures': 0 }],
  },
  {
    Listed: VmmEventsCollector,
    topic: 'events',
    full: Object.fromEntries(VMM_EVENTS.map((event, index) => [`events.${event.replaceAll('-', '_')}`, 40 + index])),
    some: [{ 'guest-panicked': 0 }, { 'events.guest_panicked': 0 }],
  },
] as const;

describe.each(TOPICS)('what VMMs tell of $topic', ({ Listed, topic, full, some: [told, cells] }) => {
  it('is in cells of its own, each number', async () => {
    trial = new TopicTrial(Listed);
    expect(await trial.says(FULL_ANSWER)).toBe(Outcome.ok);
    expect(trial.cells()).toEqual(full);
  });

  it('is only what was told, and 0 is told', async () => {
    trial = new TopicTrial(Listed);
    await trial.says(FULL_ANSWER);
    expect(await trial.says({ [topic]: told })).toBe(Outcome.ok);
    expect(trial.cells()).toEqual(cells);
  });

  it('is missing with its reason where it was not told', async () => {
    trial = new TopicTrial(Listed);
    await trial.says(FULL_ANSWER);
    expect(await trial.says({ [topic]: Outcome.notPermitted })).toBe(Outcome.notPermitted);
    expect(trial.cells()).toEqual({});
    expect(await trial.says({ [topic]: {} })).toBe(Outcome.unsupported);
    expect(await trial.says(EMPTY_ANSWER)).toBe(Outcome.unsupported);
    expect(trial.cells()).toEqual({});
  });
});

describe('what VMMs tell of migration', () => {
  it('is a word and the progress', async () => {
    trial = new TopicTrial(MigrationCollector);
    expect(await trial.says(FULL_ANSWER)).toBe(Outcome.ok);
    expect(trial.cells()).toEqual({
      'migration.state': MIGRATION_STATES.indexOf('active'),
      'migration.total_bytes': 130 * MIB,
      'migration.transferred_bytes': 40 * MIB,
      'migration.remaining_bytes': 90 * MIB,
      'migration.dirty_bytes_per_second': 1_024_000,
      'migration.sent_bytes_per_second': 33_554_432,
      'migration.iterations': 2,
      'migration.elapsed_seconds': 1_234,
      'migration.downtime_seconds': 7,
      'migration.expected_downtime_seconds': 300,
    });
  });

  it('is the word alone where there never was one, and nothing of the last one stays', async () => {
    trial = new TopicTrial(MigrationCollector);
    await trial.says(FULL_ANSWER);
    expect(await trial.says({ migration: { state: 'none' } })).toBe(Outcome.ok);
    expect(trial.cells()).toEqual({ 'migration.state': 0 });
  });

  it('is missing with its reason where it was not told', async () => {
    trial = new TopicTrial(MigrationCollector);
    await trial.says(FULL_ANSWER);
    expect(await trial.says(EMPTY_ANSWER)).toBe(Outcome.unsupported);
    expect(trial.cells()).toEqual({});
  });
});

describe('memory that the VMM gave the guest', () => {
  it('is what was given where no source knows, for as long as the answer stands', async () => {
    trial = new TopicTrial(VmmMemoryCollector);
    const { subject } = trial;
    expect(allocatedMemory(subject)).toBeUndefined();
    await trial.says({ memory: { bytes: 5 * MIB } });
    expect(allocatedMemory(subject)).toBe(5 * MIB);
    subject.record = { ...subject.record, memoryBytes: 7 * MIB };
    expect(allocatedMemory(subject)).toBe(7 * MIB);
    subject.record = { id: 'vm-1', hypervisor: 'qemu' };
    await trial.says(EMPTY_ANSWER);
    expect(allocatedMemory(subject)).toBeUndefined();
  });
});
