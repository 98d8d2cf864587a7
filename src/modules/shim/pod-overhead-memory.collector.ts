import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { gauge, type Metric, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { Tables } from '../../model/tables.js';
import { isVmmInShim } from '../../model/vmm-in-shim.js';
import { readKin } from './kin.js';
import { type OwnMemory, ownMemory, VmmMemory } from './vmm-memory.js';

const OVERHEAD = gauge({
  name: 'kata_shim_pod_overhead_memory_in_bytes',
  help: 'Kata Pod overhead for memory resources(bytes).',
  unit: 'bytes',
  identity: 'sandbox',
});
const PARTS = gauge({
  name: 'vmgauge_sandbox_overhead_memory_bytes',
  help: 'Resident memory of what a sandbox needs beside its guest RAM, by component; a VMM inside the shim is the shim’s.',
  unit: 'bytes',
  identity: 'sandbox',
});
const BACKED = gauge({
  name: 'vmgauge_sandbox_guest_ram_backed_bytes',
  help: 'Guest RAM of a sandbox that the host has given memory to, hugetlbfs included.',
  unit: 'bytes',
  identity: 'sandbox',
});

const part = (component: string): Metric =>
  metric({ json: `shim.overhead.${component}_memory_bytes`, family: PARTS, labels: { component } });
const METRICS = {
  total: metric({
    json: 'shim.overhead.memory_bytes',
    description: 'Resident memory of shim, virtiofsd and VMM without guest RAM.',
    family: OVERHEAD,
  }),
  shim: part('shim'),
  vmm: part('vmm'),
  virtiofsd: part('virtiofsd'),
  backed: metric({ json: 'shim.overhead.guest_ram_backed_bytes', family: BACKED }),
};

const NOTHING: OwnMemory = { bytes: 0 };

/**
 * What the sandbox costs in memory beside guest RAM. Where guest RAM is shared memory or hugetlbfs, as Kata has it for virtiofs, that is
 * anonymous and file memory of the three processes: all of them map guest RAM, none of them counts it there. Where it is private the VMM's
 * pages must be walked (smaps, 11 ms a GiB), off the sweep. No cgroup is asked.
 */
@Injectable()
export class PodOverheadMemoryCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'pod_overhead_memory',
    tier: 'slow',
    reads:
      '`/proc/<pid>/status` of shim, VMM and virtiofsd, `/proc/<pid>/maps` of the VMM of a Kata sandbox; `smaps` (11 ms of CPU per GiB, off the sweep) only where guest RAM is private memory',
    enabled: true,
  };
  readonly about = PodOverheadMemoryCollector.about;
  readonly metrics = [];
  readonly sandboxMetrics = Object.values(METRICS);
  private readonly columns;
  private readonly vmms = new Map<number, VmmMemory>();

  constructor(
    tables: Tables,
    private readonly host: Host,
  ) {
    this.columns = tables.sandboxes.columnsOf(METRICS);
  }

  concerns({ sandboxRow }: Subject): boolean {
    return sandboxRow >= 0;
  }

  detach({ row }: Subject): void {
    this.vmms.delete(row);
  }

  collect(subject: Subject): Outcome {
    const { process } = subject;
    const shim = subject.companion('shim');
    if (!process || !shim) return Outcome.gone;
    try {
      return this.read(subject, this.memoryOf(subject, process), shim);
    } catch (error) {
      return outcomeOfErrno(error);
    }
  }

  async collectDetached({ row }: Subject): Promise<Outcome> {
    return (await this.vmms.get(row)?.walk()) ?? Outcome.gone;
  }

  /** What is known of another process, or was told with another size of guest RAM, is not used. */
  private memoryOf({ row, record }: Subject, process: HeldProcess): VmmMemory {
    const known = this.vmms.get(row);
    if (known?.process === process && known.allocatedBytes === record.memoryBytes) return known;
    const memory = new VmmMemory(process, record.memoryBytes);
    this.vmms.set(row, memory);
    return memory;
  }

  /** @throws errors of reading */
  private read(subject: Subject, vmm: VmmMemory, shim: HeldProcess): Outcome {
    const virtiofsd = subject.companion('virtiofsd');
    const parts = vmm.parts();
    if (typeof parts === 'number') return parts;
    if (vmm.isOnFile && virtiofsd) return Outcome.unsupported;
    const shimOwn = shim === vmm.process ? NOTHING : ownMemory(shim);
    if (typeof shimOwn === 'number') return shimOwn;
    const served = virtiofsd ? this.withKin(virtiofsd) : NOTHING;
    if (typeof served === 'number') return served;
    const inShim = isVmmInShim(subject);
    const { columns } = this;
    const row = subject.sandboxRow;
    columns.total.back[row] = shimOwn.bytes + served.bytes + parts.otherBytes;
    columns.shim.back[row] = inShim ? parts.otherBytes : shimOwn.bytes;
    columns.vmm.back[row] = inShim ? Number.NaN : parts.otherBytes;
    columns.virtiofsd.back[row] = virtiofsd ? served.bytes : Number.NaN;
    columns.backed.back[row] = parts.guestBytes;
    return Outcome.ok;
  }

  private withKin(process: HeldProcess): OwnMemory | Outcome {
    const own = ownMemory(process);
    if (typeof own === 'number') return own;
    const kin = readKin(this.host, process, (_, file) => ownMemory({ readOnce: file }));
    if (typeof kin === 'number') return kin;
    let { bytes } = own;
    for (const one of kin) {
      if (one === Outcome.gone) continue;
      if (typeof one === 'number') return one;
      bytes += one.bytes;
    }
    return { bytes };
  }
}
