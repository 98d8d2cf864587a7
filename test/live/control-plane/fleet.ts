import { Module } from '@nestjs/common';
import { type InstanceRecord, type InstanceSource, VmgaugeModule } from 'vmgauge';

const [, , pid, startTicks] = process.argv.map(Number);

/** The process that stands for a VM of this control plane. */
export const machine: InstanceRecord = {
  id: 'fleet-1',
  name: 'first',
  vcpus: 2,
  memoryBytes: 2 ** 30,
  nics: [],
  process: { pid, startTicks },
};

/** The control plane's own list of its VMs. */
class Fleet implements InstanceSource {
  readonly name = 'fleet';

  list(): readonly InstanceRecord[] {
    return [machine];
  }
}

const OFF = new Map(['registration', 'file', 'hypeman', 'libvirt', 'host'].map((name) => [name, false]));

/** A control plane that embeds the house with its own list alone. */
@Module({ imports: [VmgaugeModule.register({ sources: [new Fleet()], settings: { sources: OFF } })] })
export class ControlPlane {}
