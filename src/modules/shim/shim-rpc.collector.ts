import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import type { ScrapedText } from '../exposition/scraped-text.js';
import { ShimScraper } from './scraper.js';
import { RPC_FAMILIES } from './vocabulary.js';

const METRICS = {
  shim: metric({
    json: 'shim.rpc.series',
    description: 'Series about durations of containerd’s calls to the shim, passed on from its socket.',
  }),
  agent: metric({
    json: 'shim.rpc.agent_series',
    description: 'Series about durations of the shim’s calls to the agent in the guest, passed on from its socket.',
  }),
};

/**
 * Whether a shim tells how long its calls take. The durations themselves are passed on as the shim has them; of one that was asked and has
 * none (runtime-rs) this says `unsupported`, so that nobody takes missing histograms for idle ones.
 */
@Injectable()
export class ShimRpcCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'shim_rpc',
    tier: 'sweep',
    reads: 'what `shim_socket` was answered: whether it has durations of calls to the shim and to the agent',
    enabled: true,
  };
  readonly about = ShimRpcCollector.about;
  readonly metrics = [];
  readonly sandboxMetrics = Object.values(METRICS);
  private readonly columns;

  constructor(
    tables: Tables,
    _host: Host,
    @Optional() private readonly scraper?: ShimScraper,
  ) {
    this.columns = tables.sandboxes.columnsOf(METRICS);
  }

  concerns({ sandboxRow }: Subject): boolean {
    return sandboxRow >= 0;
  }

  /** Only looks at what is known: whether a shim is asked at all is for `shim_socket`. */
  collect(subject: Subject): Outcome {
    if (!subject.process) return Outcome.gone;
    const socket = this.scraper?.known(subject);
    if (!socket) return Outcome.notConfigured;
    if (socket.outcome !== Outcome.ok) return socket.outcome;
    if (!socket.text) return Outcome.busy;
    const shim = seriesOf(socket.text, RPC_FAMILIES.shim);
    const agent = seriesOf(socket.text, RPC_FAMILIES.agent);
    if (Number.isNaN(shim) && Number.isNaN(agent)) return Outcome.unsupported;
    this.columns.shim.back[subject.sandboxRow] = shim;
    this.columns.agent.back[subject.sandboxRow] = agent;
    return Outcome.ok;
  }
}

/** NaN where the text has no such family. */
const seriesOf = ({ families }: ScrapedText, name: string): number => families.find((family) => family.name === name)?.series ?? Number.NaN;
