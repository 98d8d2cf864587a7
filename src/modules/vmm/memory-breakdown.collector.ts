import { Injectable, Optional } from '@nestjs/common';
import { withDeadline } from '../../host/deadline.js';
import { Host } from '../../host/host.js';
import { Slicer } from '../../host/slicer.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { gauge, type Metric, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { type MappedMemory, mappingsOf } from '../procfs/smaps.js';
import { isTold } from './answer.js';
import { VmmAsker } from './asker.js';
import { guestMappings } from './guest-mappings.js';
import { breakdownOf, type MemoryBreakdown } from './memory-breakdown.js';

const PARTS = gauge({
  name: 'vmgauge_vm_memory_breakdown_bytes',
  help: 'Resident memory of the VMM process, hugetlbfs included, by what it is for: guest RAM, or the VMM itself. From one reading of its mappings; the parts add up to all of it.',
  unit: 'bytes',
});
const bytes = (word: string, help: string): Metric =>
  metric({
    json: `memory.breakdown.${word}_bytes`,
    family: gauge({ name: `vmgauge_vm_memory_breakdown_${word}_bytes`, help, unit: 'bytes' }),
  });

const METRICS = {
  residentBytes: bytes('resident', 'Resident memory of the VMM process, hugetlbfs included, as its mappings have it.'),
  guestResidentBytes: metric({
    json: 'memory.breakdown.guest_resident_bytes',
    description: 'Guest RAM that the VMM has pages for.',
    family: PARTS,
    labels: { part: 'guest' },
  }),
  overheadBytes: metric({
    json: 'memory.breakdown.overhead_bytes',
    description: 'Resident memory of the VMM that is not guest RAM: its program, heap, stacks, translated code.',
    family: PARTS,
    labels: { part: 'overhead' },
  }),
  guestMappedBytes: bytes('guest_mapped', 'Guest RAM in the address space of the VMM: what is resident, swapped and untouched of it.'),
  guestHugeBytes: bytes('guest_huge', 'Resident guest RAM in huge pages, of hugetlbfs or transparent.'),
  guestSwappedBytes: bytes('guest_swapped', 'Guest RAM that the host swapped out.'),
  guestUntouchedBytes: bytes('guest_untouched', 'Guest RAM without a page: never written, or given back by a balloon.'),
  overAllocated: metric({
    json: 'memory.breakdown.is_over_allocated',
    family: gauge({
      name: 'vmgauge_vm_memory_over_allocated',
      help: '1 when the VMM has more resident memory than the VM was given, 0 when not.',
    }),
  }),
};
const AGE = metric({ json: 'memory.breakdown.age_seconds', description: 'Age of the reading.', decimals: 3 });

const WORDS: readonly (keyof MemoryBreakdown)[] = [
  ...(['residentBytes', 'guestResidentBytes', 'overheadBytes'] as const),
  ...(['guestMappedBytes', 'guestHugeBytes', 'guestSwappedBytes', 'guestUntouchedBytes'] as const),
];
const DEADLINE_MS = 30_000;
/** 750 bytes a mapping. */
const LONGEST_BYTES = 1 << 23;

interface Reading {
  readonly breakdown: MemoryBreakdown;
  readonly allocatedBytes: number | undefined;
  readonly at: number;
}

/**
 * /proc/<pid>/smaps, split into guest RAM and the VMM itself by evidence; where there is none it is unsupported. The kernel walks every page
 * and holds the address-space lock of the VM meanwhile: off by default, one instance at a time, off the sweep.
 */
@Injectable()
export class MemoryBreakdownCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'memory_breakdown',
    tier: 'detached',
    reads:
      '`/proc/<pid>/smaps`: guest RAM and VMM overhead; per GiB 11 ms of CPU for anonymous pages of 4 KiB, 16 ms for shared ones, under 1 ms in huge pages, and the VM may wait for its own memory map meanwhile, so it is off',
    enabled: false,
  };
  readonly about = MemoryBreakdownCollector.about;
  readonly metrics = [...Object.values(METRICS), AGE];
  private readonly columns;
  private readonly age;
  private readonly readings = new Map<number, Reading>();

  constructor(
    tables: Tables,
    private readonly host: Host,
    @Optional() private readonly asker?: VmmAsker,
  ) {
    this.columns = tables.instances.columnsOf(METRICS);
    this.age = tables.instances.column(AGE);
  }

  collect({ row, process }: Subject): Outcome {
    if (!process) return Outcome.gone;
    const reading = this.readings.get(row);
    if (!reading) return Outcome.busy;
    const { breakdown, allocatedBytes, at } = reading;
    for (const word of WORDS) this.columns[word].back[row] = breakdown[word];
    this.columns.overAllocated.back[row] = allocatedBytes === undefined ? Number.NaN : Number(breakdown.residentBytes > allocatedBytes);
    this.age.back[row] = Math.round(this.host.clock.monotonic() - at);
    return Outcome.ok;
  }

  async collectDetached(subject: Subject): Promise<Outcome> {
    const { row, process, record } = subject;
    if (!process) return Outcome.gone;
    try {
      const at = this.host.clock.monotonic();
      const smaps = await withDeadline(process.readAsync('smaps', LONGEST_BYTES), DEADLINE_MS, `smaps of ${process.pid}`);
      const mappings = await this.parse(smaps);
      // The row may have passed to another VM meanwhile.
      if (subject.row !== row || subject.process !== process) return Outcome.gone;
      if (!mappings) return Outcome.malformed;
      const allocatedBytes = this.allocatedBytes(subject);
      const guest = guestMappings(mappings, record.hypervisor, allocatedBytes);
      if (!guest) return Outcome.unsupported;
      this.readings.set(row, { breakdown: breakdownOf(mappings, guest), allocatedBytes, at });
      return Outcome.ok;
    } catch (error) {
      return outcomeOfErrno(error);
    }
  }

  detach({ row }: Subject): void {
    this.readings.delete(row);
  }

  /** By the VMM's word, which has what was plugged in since, or else by the sources'. */
  private allocatedBytes(subject: Subject): number | undefined {
    const memory = this.asker?.answer(subject)?.memory;
    return (memory !== undefined && isTold(memory) ? memory.bytes : undefined) ?? subject.record.memoryBytes;
  }

  /** 5 µs a mapping, of which a QEMU has hundreds. @returns null for a text that is none */
  private async parse(smaps: string): Promise<readonly MappedMemory[] | null> {
    const slicer = new Slicer(this.host.clock);
    const mappings: MappedMemory[] = [];
    for (const mapping of mappingsOf(smaps)) {
      if (!mapping) return null;
      mappings.push(mapping);
      const pause = slicer.pause();
      if (pause) await pause;
    }
    return mappings.length === 0 ? null : mappings;
  }
}
