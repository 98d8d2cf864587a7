import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { InstanceRecord } from '../../model/instance.js';
import { Outcome, type OutcomeWords, outcomeWords } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { Tables } from '../../model/tables.js';
import { checkClaim } from '../instances/claims.js';
import { Instance } from '../instances/instance.js';
import { holdProcess } from '../procfs/held-process.js';
import { COLLECTORS } from './collectors.js';
import { Sampler } from './sampler.js';

/** Values by their place in the stats document, null where unknown, and how each collector did. */
export interface Reading {
  readonly values: ReadonlyMap<string, number | null>;
  readonly collectors: ReadonlyMap<string, OutcomeWords>;
}

/** Reads one instance that is in no list, once, with all collectors of a sweep and none of its tables. */
@Injectable()
export class OneOff {
  constructor(
    private readonly host: Host,
    private readonly settings: Settings,
  ) {}

  async read(record: InstanceRecord): Promise<Reading> {
    const tables = new Tables();
    const sampler = this.sampler(tables);
    const instance = new Instance({ id: record.id, sources: ['embedded'], record, process: null });
    const claim = record.process && (await checkClaim(this.host, record.process, { isVmm: () => true, unknown: () => true }));
    if (claim && 'process' in claim) instance.process = tryHold(this.host, claim.process.pid, claim.process.startTicks);
    instance.row = tables.instances.add(instance);
    try {
      sampler.attach(instance);
      for (const _ of sampler.shared());
      instance.process?.readStat();
      sampler.sample(instance, this.host.clock.monotonic());
      tables.publish();
      return reading(tables, sampler, instance);
    } finally {
      sampler.detach(instance);
      instance.process?.close();
    }
  }

  private sampler(tables: Tables): Sampler {
    const collectors = COLLECTORS.map((Listed) => new Listed(tables, this.host));
    const enabled = new Map(
      COLLECTORS.map(({ about }) => [about.name, about.tier !== 'detached' && (this.settings.collectors.get(about.name) ?? about.enabled)]),
    );
    return new Sampler(
      tables,
      collectors,
      (name) => enabled.get(name) ?? true,
      () => ({ slow: 0, threads: 0 }),
      this.host.clock,
      (collector, error) => {
        throw new Error(`collector ${collector} failed unexpectedly`, { cause: error });
      },
    );
  }
}

function tryHold(host: Host, pid: number, startTicks: number) {
  try {
    const process = holdProcess(host, pid);
    if (process.startTicks === startTicks) return process;
    process.close();
  } catch {
    // Gone since it was checked.
  }
  return null;
}

function reading(tables: Tables, sampler: Sampler, instance: Instance): Reading {
  const { row } = instance;
  const values = new Map<string, number | null>();
  for (const { metric, front } of tables.instances.columns) {
    const value = front[row];
    values.set(metric.json, Number.isNaN(value) ? null : metric.decimals > 0 ? value / 10 ** metric.decimals : value);
  }
  const collectors = new Map(
    sampler.states
      .filter(({ collector }) => collector.concerns?.(instance) !== false)
      .map(({ collector, enabled, outcome }) => [collector.about.name, outcomeWords(enabled ? outcome.front[row] : Outcome.notConfigured)]),
  );
  return { values, collectors };
}
