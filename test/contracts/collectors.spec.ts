import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { Host } from '../../src/host/host.js';
import type { Collector } from '../../src/model/collector.js';
import { OUTCOMES, Outcome } from '../../src/model/outcome.js';
import type { Table } from '../../src/model/table.js';
import { Tables } from '../../src/model/tables.js';
import { COLLECTORS, type ListedCollector } from '../../src/modules/collection/collectors.js';
import { Sampler } from '../../src/modules/collection/sampler.js';
import { FakeProc } from '../fake-proc.js';
import { errno, FakeProcess } from '../fake-process.js';
import { FakeSubject } from '../subject.js';

const proc = new FakeProc();
afterAll(() => proc.close());

/** Collectors that read no file of the process: what they have to say of a broken one. */
const READS_NO_PROCESS_FILE: Readonly<Record<string, string>> = {
  allocation: 'says what the sources say',
  vhost: 'reads kernel threads; its own spec breaks those',
};
/** Reads the size of a directory, which can be refused but not garbled. */
const READS_NO_CONTENT = new Set(['descriptors']);
/** Looks for the file in several places, and says only that it found none where none of them could be opened. */
const SEES_A_REFUSED_FILE_AS_GONE = new Set(['network']);

class Trial {
  readonly tables = new Tables();
  readonly collectors: readonly Collector[];
  readonly collector: Collector;
  readonly sampler: Sampler;
  readonly process = new FakeProcess();
  readonly subject: FakeSubject;
  readonly defects: unknown[] = [];

  constructor(Listed: ListedCollector, host: Host = proc.host(), process: FakeProcess | null = null) {
    this.collectors = COLLECTORS.map((Other) => new Other(this.tables, host));
    this.collector = this.collectors[COLLECTORS.indexOf(Listed)];
    const { name } = Listed.about;
    const report = (_: string, error: unknown) => this.defects.push(error);
    this.sampler = new Sampler(
      this.tables,
      this.collectors,
      (other) => other === name,
      () => ({ slow: 0, threads: 0 }),
      host.clock,
      report,
    );
    this.subject = new FakeSubject(process, 'vm-1', 'one', { id: 'vm-1', vcpus: 2, memoryBytes: 268435456 });
    this.subject.nics = [{ kind: 'tap', name: 'exptap0' }];
  }

  static running(Listed: ListedCollector): Trial {
    const trial = new Trial(Listed);
    trial.subject.process = trial.process;
    return trial;
  }

  attach(): void {
    this.tables.instances.begin();
    this.tables.interfaces.begin();
    this.subject.row = this.tables.instances.add(this.subject);
    this.sampler.attach(this.subject);
  }

  /** One sweep, and before it the turn of a detached collector. @returns the outcome that readers see */
  async sweep({ devices = false } = {}): Promise<number> {
    const state = this.sampler.states.find(({ collector }) => collector === this.collector) ?? expect.fail('not in the list');
    if (this.collector.collectDetached) {
      this.sampler.detachedResult(state, this.subject.row, await this.sampler.collectDetached(state, this.subject));
    }
    this.tables.instances.begin();
    this.tables.interfaces.begin();
    if (devices) this.sampler.devices(this.subject);
    this.subject.process?.readStat();
    for (const _ of this.sampler.shared());
    this.sampler.sample(this.subject, 1e12);
    this.tables.instances.publish();
    this.tables.interfaces.publish();
    expect(this.defects).toEqual([]);
    return state.outcome.front[this.subject.row];
  }

  /** Names of the columns that hold a number in a row that readers see. */
  filled(): string[] {
    const { instances, interfaces } = this.tables;
    const words = <Key>({ columns, order }: Table<Key>): string[] =>
      columns.filter(({ front }) => order.rows.some((row) => !Number.isNaN(front[row]))).map(({ metric }) => metric.json);
    return [...words(instances).filter((json) => !json.startsWith('collectors.')), ...words(interfaces)];
  }
}

describe.each(COLLECTORS.map((Listed) => [Listed.about.name, Listed] as const))('collector %s', (name, Listed) => {
  let trial: Trial;
  beforeEach(() => {
    trial = Trial.running(Listed);
    trial.attach();
  });

  it('says what it is', () => {
    const { about } = Listed;
    expect(about.name).toMatch(/^[a-z][a-z_]*$/);
    expect(trial.collector.about).toBe(about);
    expect(about.reads.length).toBeGreaterThan(10);
    expect(trial.collector.metrics.length).toBeGreaterThan(0);
    expect(about.tier === 'detached').toBe(trial.collector.collectDetached !== undefined);
    if (about.closing) expect(about.tier).toBe('sweep');
  });

  it('fills only cells that it declares', async () => {
    const outcome = await trial.sweep();
    expect(outcome).toBe(name === 'vhost' ? Outcome.notConfigured : Outcome.ok);
    const { metrics, interfaceMetrics = [] } = trial.collector;
    const declared = [...metrics, ...interfaceMetrics].map(({ json }) => json);
    expect(declared).toEqual(expect.arrayContaining(trial.filled()));
    if (outcome === Outcome.ok) expect(trial.filled().length).toBeGreaterThan(0);
  });

  it('fills the same cells again for a process that stands still', async () => {
    const values = (): number[] =>
      trial.tables.instances.columns
        .filter(({ metric }) => !metric.json.startsWith('collectors.'))
        .map(({ front }) => front[trial.subject.row]);
    await trial.sweep();
    const first = values();
    await trial.sweep();
    expect(values()).toEqual(first);
  });

  it('is gone where there is no process', async () => {
    const bare = new Trial(Listed);
    bare.attach();
    const outcome = await bare.sweep();
    if (name === 'allocation') return expect(outcome).toBe(Outcome.ok);
    expect(outcome).toBe(Outcome.gone);
    expect(bare.filled().filter((json) => json !== 'outcome')).toEqual([]);
  });

  it('throws nothing on an empty host, over an instance that nobody knows anything of', async () => {
    const empty = new FakeProc();
    const process = new FakeProcess(new Map());
    process.breakAll(errno('ENOENT'));
    const lone = new Trial(Listed, empty.host(), process);
    lone.subject.nics = null;
    lone.subject.record = { id: 'vm-1' };
    lone.subject.vhostThreads = [4_000_000];
    lone.attach();
    expect(OUTCOMES).toContain(await lone.sweep());
    expect(lone.filled()).toEqual([]);
    lone.sampler.devices(lone.subject);
    lone.sampler.detach(lone.subject);
    expect(lone.defects).toEqual([]);
    empty.close();
  });

  const broken = [
    ['garbage', 'x 1 2\n', Outcome.malformed],
    ['empty files', '', Outcome.malformed],
    ['sentinels that are no line', '18446744073709551615', Outcome.malformed],
    ['EACCES', errno('EACCES'), Outcome.notPermitted],
    ['EPERM', errno('EPERM'), Outcome.notPermitted],
    ['ESRCH', errno('ESRCH'), Outcome.gone],
    ['ENOENT', errno('ENOENT'), Outcome.gone],
    ['EMFILE', errno('EMFILE'), Outcome.busy],
    ['EIO', errno('EIO'), Outcome.ioError],
  ] as const;
  const possible = broken.filter(([, content]) => content instanceof Error || !READS_NO_CONTENT.has(name));
  it.each(name in READS_NO_PROCESS_FILE ? [] : possible)(
    'leaves no number behind when the kernel gives %s, and comes back',
    async (_, content, expected) => {
      const { process } = trial;
      const good = new Map(process.files);
      await trial.sweep();
      expect(trial.filled().length).toBeGreaterThan(0);
      if (content instanceof Error) process.breakAll(content);
      else for (const path of process.files.keys()) process.files.set(path, content);
      expect(await trial.sweep({ devices: true })).toBe(
        content instanceof Error && SEES_A_REFUSED_FILE_AS_GONE.has(name) ? Outcome.gone : expected,
      );
      expect(trial.filled().filter((json) => json !== 'outcome')).toEqual([]);
      process.files.delete('task');
      for (const [path, text] of good) process.files.set(path, text);
      process.descriptors = 27;
      expect(await trial.sweep({ devices: true })).toBe(Outcome.ok);
    },
  );

  it('lets go of a row: the next instance in it starts empty', async () => {
    await trial.sweep();
    trial.tables.instances.begin();
    trial.tables.interfaces.begin();
    trial.sampler.detach(trial.subject);
    trial.tables.instances.remove(trial.subject.row);
    trial.tables.instances.publish();
    trial.tables.interfaces.publish();
    expect(trial.tables.interfaces.size).toBe(0);
    const { row } = trial.subject;
    const next = new Trial(Listed);
    next.subject.row = row;
    trial.tables.instances.begin();
    expect(trial.tables.instances.add(next.subject)).toBe(row);
    trial.sampler.attach(next.subject);
    for (const column of trial.tables.instances.columns.filter(({ metric }) => !metric.json.startsWith('collectors.')))
      expect(column.back[row]).toBeNaN();
    if (name !== 'allocation') expect(trial.collector.collect(next.subject)).toBe(Outcome.gone);
  });
});
