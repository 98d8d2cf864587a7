import { Outcome } from '../src/model/outcome.js';
import type { Part } from '../src/model/parts.js';
import { Settings } from '../src/model/settings.js';
import type { Table } from '../src/model/table.js';
import { Tables } from '../src/model/tables.js';
import type { ListedCollector } from '../src/modules/collection/collectors.js';
import { Sampler } from '../src/modules/collection/sampler.js';
import type { VmmAnswer } from '../src/modules/vmm/answer.js';
import { VmmAsker } from '../src/modules/vmm/asker.js';
import { FakeProc } from './fake-proc.js';
import { FakeProcess } from './fake-process.js';
import { FakeSubject } from './subject.js';
import { answering, EMPTY_ANSWER } from './vmm-answer.js';

/** Milliseconds that an answer may take; it takes none. */
const DEADLINE_MS = 5000;

/** One collector of what VMMs say, one instance, and a VMM that says what the test wants. */
export class TopicTrial {
  readonly proc = new FakeProc();
  readonly tables = new Tables();
  readonly subject = new FakeSubject(new FakeProcess(), 'vm-1', 'one', { id: 'vm-1', hypervisor: 'qemu' });
  readonly asker: VmmAsker;
  readonly sampler: Sampler;
  readonly defects: unknown[] = [];
  private reply: VmmAnswer | Exclude<Outcome, typeof Outcome.ok> = Outcome.busy;

  constructor(
    Listed: ListedCollector,
    readonly host = this.proc.host(),
  ) {
    this.asker = new VmmAsker(host, new Settings(), [answering('qemu', () => this.reply)]);
    const collector = Reflect.construct(Listed, [this.tables, host, this.asker]);
    const intervals = () => ({ slow: 0, threads: 0 });
    this.sampler = new Sampler(
      this.tables,
      [collector],
      () => true,
      intervals,
      host.clock,
      (_, error) => this.defects.push(error),
    );
    this.tables.begin();
    this.subject.row = this.tables.instances.add(this.subject);
    this.sampler.attach(this.subject);
    this.tables.publish();
  }

  /** The VMM is asked, and a sweep reads what it says. Whatever is left out is not told. */
  async says(reply: Partial<VmmAnswer> | Exclude<Outcome, typeof Outcome.ok>): Promise<Outcome> {
    this.reply = typeof reply === 'number' ? reply : { ...EMPTY_ANSWER, ...reply };
    await this.asker.askOnly(this.subject, DEADLINE_MS);
    return this.sweep();
  }

  /** @returns what readers see of how it went; NaN where the collector had no turn */
  sweep(): Outcome {
    this.tables.begin();
    this.sampler.sample(this.subject, 1e12);
    this.tables.publish();
    if (this.defects.length > 0) throw this.defects[0];
    // Outcome cells hold nothing else, and NaN is a number to the compiler.
    return this.sampler.states[0].outcome.front[this.subject.row] as Outcome;
  }

  /** Cells of the instance that hold something, by their places. */
  cells(): Record<string, number> {
    const { columns } = this.tables.instances;
    const own = columns.filter(({ metric }) => !metric.json.startsWith('collectors.'));
    return filled(own, this.subject.row);
  }

  /** Rows that readers see of one table of parts, in their order. */
  parts(part: Part): { name: string; cells: Record<string, number> }[] {
    const { columns, order } = this.tables[part];
    return order.keys.map(({ name }, index) => ({ name, cells: filled(columns, order.rows[index]) }));
  }

  /** The instance lost its process. */
  end(): void {
    this.tables.begin();
    this.sampler.detach(this.subject);
    this.tables.publish();
  }

  close(): void {
    this.asker.onApplicationShutdown();
    this.proc.close();
  }
}

const filled = (columns: Table<unknown>['columns'], row: number): Record<string, number> =>
  Object.fromEntries(columns.filter(({ front }) => !Number.isNaN(front[row])).map(({ metric, front }) => [metric.json, front[row]]));
