import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import { withDeadline } from '../../host/deadline.js';
import { Host } from '../../host/host.js';
import { hostLook } from '../../host/look.js';
import type { InstanceSource } from '../../model/instance.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { Collection } from '../collection/collection.js';
import { Tracing } from '../events/tracing.js';
import { Discovery } from '../instances/discovery.js';
import { Registry } from '../instances/registry.js';
import { INSTANCE_SOURCES } from '../instances/sources.js';
import { OvsObserver } from '../network/ovs/observer.js';
import { PassThrough } from '../shim/pass-through.js';
import { UpstreamScraper } from '../upstreams/scraper.js';
import { VmmAsker } from '../vmm/asker.js';
import type { Dialogue } from '../vmm/dialogue.js';
import { VMM_DIALOGUES } from '../vmm/dialogues.js';
import { type Finding, type Lacking, lacks, type Probe } from './capability.js';
import { fileSystemHangs, giveRights, readLog } from './fixes.js';
import { codeOf, type ProbeTools } from './probe-tools.js';
import { PROBES } from './probes.js';

export const PROBE_DEADLINE_MS = 1000;
/** An answer is given again for so long: whoever asks all the time costs the host no more than that. */
const KEPT_MS = 5000;

export interface Probed {
  readonly probe: Probe;
  readonly finding: Finding;
}

export interface Survey {
  /** Milliseconds since 1970 when it was made. */
  readonly madeMs: number;
  readonly probed: readonly Probed[];
}

/** Asks all probes at once, each no longer than its deadline. A probe that hangs is not started again before it has come back. */
export class Prober {
  private last: Promise<Survey> | null = null;
  private lastAt = Number.NEGATIVE_INFINITY;
  private readonly hanging = new Map<Probe, Promise<Finding>>();

  /** @param report told of a defect of ours */
  constructor(
    private readonly tools: ProbeTools,
    private readonly probes: readonly Probe[],
    private readonly report: (probe: string, error: unknown) => void,
    private readonly deadlineMs = PROBE_DEADLINE_MS,
  ) {}

  /** Never rejects; no older than a few seconds. Whoever asks meanwhile waits for the same. */
  survey(): Promise<Survey> {
    const { clock } = this.tools.host;
    if (!this.last || clock.monotonic() - this.lastAt >= KEPT_MS) {
      this.lastAt = clock.monotonic();
      this.last = this.make(clock.now());
    }
    return this.last;
  }

  private async make(madeMs: number): Promise<Survey> {
    return { madeMs, probed: await Promise.all(this.probes.map(async (probe) => ({ probe, finding: await this.ask(probe) }))) };
  }

  private async ask(probe: Probe): Promise<Finding> {
    const pending = this.hanging.get(probe) ?? this.start(probe);
    try {
      return await withDeadline(pending, this.deadlineMs, `probe ${probe.name}`);
    } catch (error) {
      return this.failure(probe, error);
    }
  }

  private start(probe: Probe): Promise<Finding> {
    const pending = (async () => probe.find(this.tools))();
    this.hanging.set(probe, pending);
    const done = (): void => void this.hanging.delete(probe);
    pending.then(done, done);
    return pending;
  }

  private failure(probe: Probe, error: unknown): Finding {
    const code = codeOf(error);
    if (code === undefined) this.report(probe.name, error);
    const outcome = code === undefined ? Outcome.ioError : lackingOf(outcomeOfErrno(error));
    if (outcome === Outcome.notPermitted) {
      return lacks(outcome, { need: probe.need, fix: giveRights, detail: `the look was refused (${code})` });
    }
    // Nobody can tell what is missing: somebody should look.
    if (outcome === Outcome.timeout) {
      return lacks(outcome, { need: 'required', fix: fileSystemHangs, detail: `no answer within ${this.deadlineMs} ms` });
    }
    return lacks(outcome, { need: 'required', fix: readLog, detail: `the look failed (${code ?? 'a defect of vmgauge, see its log'})` });
  }
}

const lackingOf = (outcome: Outcome): Lacking => (outcome === Outcome.ok ? Outcome.ioError : outcome);

/** The agent's own. */
@Injectable()
export class HostProber extends Prober {
  constructor(
    host: Host,
    settings: Settings,
    registry: Registry,
    discovery: Discovery,
    collection: Collection,
    @Inject(INSTANCE_SOURCES) sources: readonly InstanceSource[],
    @Inject(VMM_DIALOGUES) dialogues: readonly Dialogue[],
    @Optional() asker?: VmmAsker,
    @Optional() shims?: PassThrough,
    @Optional() upstreams?: UpstreamScraper,
    @Optional() observer?: OvsObserver,
    @Optional() tracing?: Tracing,
  ) {
    const logger = new Logger('capabilities');
    const tools: ProbeTools = {
      ...{ host, settings, registry, discovery, sources, look: hostLook, dialogues },
      ...{ collectors: collection.sampler.states, asker: asker ?? null, shims: shims ?? null, upstreams: upstreams ?? null },
      switches: observer?.switches ?? null,
      tracing: tracing ?? null,
    };
    super(tools, PROBES, (probe, error) => {
      logger.error(`probe ${probe}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    });
  }
}
