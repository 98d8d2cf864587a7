import { Injectable } from '@nestjs/common';
import { allocatedMemory, type Collector, type CollectorAbout, type Subject } from '../../model/collector.js';
import { gauge, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';

const METRICS = {
  vcpus: metric({
    json: 'allocated_vcpus',
    description: 'vCPUs given to the VM: from its source, its command line, or the number of kvm-vcpu descriptors.',
    family: gauge({ name: 'hypeman_vm_allocated_vcpus', help: 'Number of vCPUs allocated', identity: 'id_and_name' }),
    also: [{ family: gauge({ name: 'vmgauge_vm_allocated_vcpus', help: 'vCPUs given to the VM.' }) }],
  }),
  memory: metric({
    json: 'allocated_memory_bytes',
    description:
      'Memory given to the VM, hot-plugged memory included: from its source or its command line, else from the VMM where it may be asked.',
    family: gauge({ name: 'hypeman_vm_allocated_memory_bytes', help: 'Total allocated memory', unit: 'bytes', identity: 'id_and_name' }),
    also: [{ family: gauge({ name: 'vmgauge_vm_allocated_memory_bytes', help: 'Memory given to the VM.', unit: 'bytes' }) }],
  }),
};

/** What the sources say was given to the VM. No file is read. */
@Injectable()
export class AllocationCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'allocation',
    tier: 'sweep',
    reads: 'the sources and `/proc/<pid>/cmdline`, at discovery: vCPUs and memory given to the VM',
    enabled: true,
  };
  readonly about = AllocationCollector.about;
  readonly metrics = Object.values(METRICS);
  private readonly columns;

  constructor(tables: Tables) {
    this.columns = tables.instances.columnsOf(METRICS);
  }

  collect(subject: Subject): Outcome {
    const { row } = subject;
    const { vcpus } = subject.record;
    const memoryBytes = allocatedMemory(subject);
    this.columns.vcpus.back[row] = amount(vcpus);
    this.columns.memory.back[row] = amount(memoryBytes);
    return vcpus === undefined && memoryBytes === undefined ? Outcome.notConfigured : Outcome.ok;
  }
}

/** An application's own source may say anything. */
const amount = (given: number | undefined): number =>
  given !== undefined && Number.isSafeInteger(given) && given >= 0 ? given : Number.NaN;
