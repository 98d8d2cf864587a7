import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { FakeProcess } from '../../../test/fake-process.js';
import { kernelSample } from '../../../test/kernel-samples.js';
import { FakeSubject } from '../../../test/subject.js';
import { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { MemoryBreakdownCollector } from './memory-breakdown.collector.js';

const MIB = 1024 * 1024;
let proc: FakeProc;
let tables: Tables;
let process: FakeProcess;
let subject: FakeSubject;
let collector: MemoryBreakdownCollector;
beforeEach(() => {
  proc = new FakeProc();
  tables = new Tables();
  process = new FakeProcess();
  subject = new FakeSubject(process, 'vm-1', 'one', { id: 'vm-1', hypervisor: 'qemu', memoryBytes: 96 * MIB });
  subject.row = tables.instances.add(subject);
  collector = new MemoryBreakdownCollector(tables, proc.host());
});
afterEach(() => proc.close());

/** Cells by their word, after a reading and a sweep. */
async function told(): Promise<Record<string, number>> {
  expect(await collector.collectDetached(subject)).toBe(Outcome.ok);
  expect(collector.collect(subject)).toBe(Outcome.ok);
  const cells = tables.instances.columns.map(({ metric, back }) => [metric.json.replace('memory.breakdown.', ''), back[subject.row]]);
  return Object.fromEntries(cells);
}
const kib = (text: string, name: RegExp): number =>
  [...text.matchAll(name)].reduce((total, [, digits]) => total + Number(digits) * 1024, 0);

describe('memory_breakdown', () => {
  it.each(['qemu-7.2-memfd', 'qemu-7.2-anonymous'])('adds up to the resident memory of the same reading of %s', async (recording) => {
    const text = kernelSample(`${recording}/smaps`);
    process.files.set('smaps', text);
    const cells = await told();
    expect(cells.resident_bytes).toBe(kib(text, /^(?:Rss|Private_Hugetlb|Shared_Hugetlb): +(\d+) kB$/gm));
    expect(cells.guest_resident_bytes + cells.overhead_bytes).toBe(cells.resident_bytes);
    expect(cells.guest_resident_bytes + cells.guest_swapped_bytes + cells.guest_untouched_bytes).toBe(cells.guest_mapped_bytes);
    expect(cells.guest_resident_bytes).toBeGreaterThanOrEqual(96 * MIB);
    expect(cells.overhead_bytes).toBeGreaterThan(8 * MIB);
    expect(cells.is_over_allocated).toBe(1);
  });

  it('has hugetlbfs and what the host swapped out', async () => {
    const guest = (text: string): string =>
      text.replace(/^[^\n]* \/memfd:memory-backend-memfd[\s\S]*?VmFlags:.*\n/m, (block) =>
        block
          .replace(/^Rss: .*/m, 'Rss: 0 kB')
          .replace(/^Private_Hugetlb: .*/m, 'Private_Hugetlb: 40960 kB')
          .replace(/^Shared_Hugetlb: .*/m, 'Shared_Hugetlb: 20480 kB')
          .replace(/^Swap: .*/m, 'Swap: 1024 kB'),
      );
    const before = await told();
    process.files.set('smaps', guest(kernelSample('qemu-7.2-memfd/smaps')));
    const cells = await told();
    expect(cells.resident_bytes).toBe(before.resident_bytes - 36 * MIB);
    expect(cells.overhead_bytes).toBe(before.overhead_bytes);
    expect(cells.guest_huge_bytes).toBe(before.guest_huge_bytes + 60 * MIB);
    expect(cells.guest_swapped_bytes).toBe(MIB);
    expect(cells.guest_untouched_bytes).toBe(before.guest_untouched_bytes + 35 * MIB);
  });

  it('says how old it is', async () => {
    expect((await told()).age_seconds).toBe(0);
    proc.clock.ms += 1500;
    expect(collector.collect(subject)).toBe(Outcome.ok);
    expect(tables.instances.columns.find(({ metric }) => metric.json.endsWith('age_seconds'))?.back[subject.row]).toBe(1500);
  });

  it('is not over what it was given where it has less, and says nothing of that where nobody knows', async () => {
    subject.record = { id: 'vm-1', memoryBytes: 96 * MIB };
    process.files.set('smaps', kernelSample('qemu-7.2-memfd/smaps').replace(/^Rss: +98304 kB/m, 'Rss: 4 kB'));
    expect(await told()).toMatchObject({ is_over_allocated: 0 });
    subject.record = { id: 'vm-1', hypervisor: 'qemu' };
    expect(await told()).toMatchObject({ is_over_allocated: Number.NaN });
  });

  it('does not guess', async () => {
    subject.record = { id: 'vm-1', memoryBytes: 97 * MIB };
    expect(await collector.collectDetached(subject)).toBe(Outcome.unsupported);
  });

  it('keeps nothing of a process for the next one in its row', async () => {
    await told();
    collector.detach(subject);
    expect(collector.collect(subject)).toBe(Outcome.busy);
    const reading = collector.collectDetached(subject);
    subject.process = new FakeProcess();
    expect(await reading).toBe(Outcome.gone);
    expect(collector.collect(subject)).toBe(Outcome.busy);
  });
});
