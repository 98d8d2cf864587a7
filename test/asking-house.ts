import type { Host } from '../src/host/host.js';
import type { Collector } from '../src/model/collector.js';
import type { Outcome } from '../src/model/outcome.js';
import { Settings } from '../src/model/settings.js';
import type { Tables } from '../src/model/tables.js';
import { COLLECTORS } from '../src/modules/collection/collectors.js';
import type { VmmAnswer } from '../src/modules/vmm/answer.js';
import { VmmAsker } from '../src/modules/vmm/asker.js';
import { FakeProc } from './fake-proc.js';
import { House } from './house.js';
import { answering, EMPTY_ANSWER } from './vmm-answer.js';

/** Collectors whose third argument is the asker. */
export const ASKERS: ReadonlySet<string> = new Set([
  ...['vmm_state', 'vmm_memory', 'guest_memory', 'balloon', 'disks', 'vnics', 'exits', 'kvm', 'migration', 'vmm_events'],
  ...['vmm', 'vcpus', 'degraded'],
]);
/** Milliseconds that an answer may take; it takes none. */
const DEADLINE_MS = 5000;

/** The rooms below the views with two VMs, of which the first one's VMM answers what the test wants. */
export class AskingHouse {
  readonly proc = new FakeProc();
  readonly asker: VmmAsker;
  readonly house: House;
  private reply: VmmAnswer | Exclude<Outcome, 0> = EMPTY_ANSWER;

  private constructor() {
    const host = this.proc.host();
    this.asker = new VmmAsker(host, new Settings(), [answering('qemu', () => this.reply)]);
    const make = (tables: Tables, own: Host): Collector[] =>
      COLLECTORS.map((Listed) => Reflect.construct(Listed, [tables, own, ...(ASKERS.has(Listed.about.name) ? [this.asker] : [])]));
    this.house = new House(host, make);
    this.proc.addProcess(7, { userTicks: 100 });
    this.proc.addProcess(8, { userTicks: 200 });
    this.house.told.records = [
      { id: 'vm-1', process: { pid: 7 }, hypervisor: 'qemu' },
      { id: 'vm-2', process: { pid: 8 }, hypervisor: 'kvm' },
    ];
  }

  static async start(): Promise<AskingHouse> {
    const asking = new AskingHouse();
    await asking.house.turn();
    return asking;
  }

  /** The VMM is asked, and a sweep reads what it says. Whatever is left out is not told. */
  async says(reply: Partial<VmmAnswer>): Promise<void> {
    this.reply = { ...EMPTY_ANSWER, ...reply };
    await this.asker.askOnly(this.house.registry.get('vm-1'), DEADLINE_MS);
    await this.house.collection.sweep();
    if (this.house.defects.length > 0) throw new Error(`defects of ${this.house.defects.join()}`);
  }

  async close(): Promise<void> {
    this.asker.onApplicationShutdown();
    await this.house.close();
    this.proc.close();
  }
}
