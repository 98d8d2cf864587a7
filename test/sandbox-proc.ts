import { expect } from 'vitest';
import { descriptorsHeld } from '../src/host/held.js';
import type { InstanceRecord, Sandbox } from '../src/model/instance.js';
import { FakeProc, statLine } from './fake-proc.js';
import { House } from './house.js';
import { kernelSample } from './kernel-samples.js';

/** Pids of a sandbox: a shim, a QEMU, a virtiofsd that waits and its child that serves. */
export const SHIM = 6;
export const VMM = 7;
export const VIRTIOFSD = 8;
export const SERVANT = 9;
export const START_TICKS = 271431;
/** Mapped in the recordings. */
export const GUEST_RAM_BYTES = 96 * 1024 * 1024;

/** CPU of one thread, clock ticks. */
export interface Cpu {
  readonly user: number;
  readonly system?: number;
  readonly guest?: number;
  readonly startTicks?: number;
}

/** A Kata sandbox below a /proc of files: Go with QEMU and virtiofs, unless the test changes it. */
export class SandboxProc extends FakeProc {
  constructor() {
    super();
    this.write('1/net/dev', kernelSample('qemu-7.2-kvm/net-dev'));
    this.addProcess(SHIM, { comm: 'containerd-shim' });
    this.addProcess(VMM);
    this.addProcess(VIRTIOFSD, { comm: 'virtiofsd' });
    this.addProcess(SERVANT, { comm: 'virtiofsd' });
    this.write(`${VIRTIOFSD}/task/${VIRTIOFSD}/children`, `${SERVANT} `);
    this.guestRam('memfd');
    this.process(SHIM, { user: 0 });
    this.process(VIRTIOFSD, { user: 0 });
    this.process(SERVANT, { user: 0 });
    this.thread(VMM, VMM, 'qemu-system-x86', { user: 0 });
    this.thread(VMM, 71, 'worker', { user: 0 });
    this.thread(VMM, 72, 'CPU 0/KVM', { user: 0 });
    this.thread(VMM, 73, 'CPU 1/KVM', { user: 0 });
  }

  /** Maps, smaps and status of a recorded QEMU whose guest RAM is on a memfd, or private and anonymous. */
  guestRam(kind: 'memfd' | 'anonymous'): void {
    for (const name of ['maps', 'smaps', 'status']) this.write(`${VMM}/${name}`, kernelSample(`qemu-7.2-${kind}/${name}`));
  }

  process(pid: number, cpu: Cpu, comm = 'process'): void {
    this.write(`${pid}/stat`, line(pid, comm, cpu));
  }

  thread(pid: number, id: number, comm: string, cpu: Cpu): void {
    this.write(`${pid}/task/${id}/stat`, line(id, comm, cpu));
  }
}

const line = (pid: number, comm: string, { user, system = 0, guest = 0, startTicks = START_TICKS }: Cpu): string =>
  statLine({ pid, comm, userTicks: user, systemTicks: system, guestTicks: guest, startTicks });

/** What a source says of it. */
export function sandboxRecord(change: Partial<InstanceRecord> = {}, sandbox: Partial<Sandbox> = {}): InstanceRecord {
  return {
    id: 'pod-1',
    process: { pid: VMM },
    memoryBytes: GUEST_RAM_BYTES,
    sandbox: { vmmInShim: false, ...sandbox },
    companions: [
      { role: 'shim', pid: SHIM, startTicks: START_TICKS },
      { role: 'virtiofsd', pid: VIRTIOFSD, startTicks: START_TICKS },
    ],
    ...change,
  };
}

/** Dragonball: the VMM's threads are the shim's. */
export const dragonballRecord = (): InstanceRecord =>
  sandboxRecord({ companions: [{ role: 'shim', pid: VMM, startTicks: START_TICKS }], hypervisor: 'dragonball' }, { vmmInShim: true });

/** What readers see of the one sandbox of a house. */
export class SandboxView {
  constructor(private readonly house: House) {}

  /** A cell by its place, as it is stored. */
  cell(place: string): number {
    const { columns, order } = this.house.tables.sandboxes;
    const column = columns.find(({ metric }) => metric.json === place);
    if (!column || order.rows.length !== 1) throw new Error(`no ${place} of one sandbox`);
    return column.front[order.rows[0]];
  }

  /** Every cell by place. */
  cells(): Record<string, number> {
    return Object.fromEntries(this.house.tables.sandboxes.columns.map(({ metric }) => [metric.json, this.cell(metric.json)]));
  }

  outcome(collector: string): number {
    const state = this.house.sampler.states.find((one) => one.collector.about.name === collector);
    if (!state) throw new Error(`no collector ${collector}`);
    return state.outcome.front[this.house.collection.order.rows[0]];
  }
}

/** A house with one sandbox for each test of a file, and what must be true when it is closed. */
export class SandboxTrial {
  readonly proc = new SandboxProc();
  readonly house: House;
  readonly view: SandboxView;
  private readonly before = descriptorsHeld();

  /** @param discover whether host discovery looks around as well */
  constructor(collectors: ConstructorParameters<typeof House>[1], discover = false) {
    this.house = new House(this.proc.host(), collectors, { discover });
    this.house.told.records = [sandboxRecord()];
    this.view = new SandboxView(this.house);
  }

  async close(): Promise<void> {
    await this.house.close();
    this.proc.close();
    expect(this.house.defects).toEqual([]);
    expect(descriptorsHeld()).toBe(this.before);
  }
}
