import { Injectable, Optional } from '@nestjs/common';
import type { HostCollector, HostCollectorAbout } from '../../model/host-collector.js';
import type { HostFamily, HostSample } from '../../model/host-family.js';
import { label, labels } from '../../model/labels.js';
import { Outcome } from '../../model/outcome.js';
import { TRACING_BLOCKS } from '../../model/settings.js';
import { millisecondsToSeconds } from '../../model/units.js';
import { Tracing } from './tracing.js';

/** Looks after the program that traces, and tells how it fares. What it counts is the business of the collector `latency`. */
@Injectable()
export class TracingHostCollector implements HostCollector {
  static readonly about: HostCollectorAbout = {
    name: 'tracing',
    tier: 'timer',
    reads: '`/sys/kernel/tracing/events`, and has bpftrace run while there are VMs, 100 MB; `tracing.mode` says whether it may',
    enabled: true,
  };
  readonly about = TracingHostCollector.about;
  readonly intervalMs = 1000;

  constructor(@Optional() private readonly tracing?: Tracing) {}

  async read(): Promise<Outcome> {
    return this.tracing ? this.tracing.supervise() : Outcome.notConfigured;
  }

  close(): void {
    this.tracing?.close();
  }

  families(): readonly HostFamily[] {
    return [
      {
        name: 'vmgauge_tracing_up',
        labelNames: [],
        type: 'gauge',
        help: '1 while bpftrace runs with all probes of its blocks attached, 0 while it does not; vmgauge_tracing_block_up says why.',
        samples: () => this.known((tracing) => [{ labels: '', value: tracing.isUp ? 1 : 0 }]),
      },
      {
        name: 'vmgauge_tracing_block_up',
        type: 'gauge',
        help: '1 while the probes of a block are attached, 0 with the reason while they are not.',
        labelNames: ['block', 'reason'],
        samples: () => this.known(blockSamples),
      },
      {
        name: 'vmgauge_tracing_starts_total',
        labelNames: [],
        type: 'counter',
        help: 'How often bpftrace was started.',
        samples: () => this.known(({ starts }) => [{ labels: '', value: starts }]),
      },
      {
        name: 'vmgauge_tracing_ends_total',
        type: 'counter',
        help: 'How often bpftrace ended or was ended, by reason; where it ended by itself, what the kernel had counted since its last telling is lost.',
        labelNames: ['reason'],
        samples: () => this.known(({ ends }) => [...ends].map(([reason, value]) => ({ labels: label('reason', reason), value }))),
      },
      {
        name: 'vmgauge_tracing_attach_failures_total',
        type: 'counter',
        help: 'How often a block of probes was refused, by the kernel or by bpftrace, and left out.',
        labelNames: ['block', 'reason'],
        samples: () =>
          this.known(({ attachFailures }) =>
            attachFailures.map(({ block, reason, count }) => ({ labels: labels({ block, reason }), value: count })),
          ),
      },
      {
        name: 'vmgauge_tracing_last_tick_timestamp_seconds',
        labelNames: [],
        type: 'gauge',
        help: 'When bpftrace last told what was counted, in seconds since 1970.',
        unit: 'seconds',
        samples: () =>
          this.known(({ lastTickMs }) => (lastTickMs === null ? [] : [{ labels: '', value: millisecondsToSeconds(lastTickMs) }])),
      },
      ...(this.tracing?.client?.families?.() ?? []),
    ];
  }

  /** Nothing where tracing is off or was never looked at. */
  private known(samples: (tracing: Tracing) => readonly HostSample[]): readonly HostSample[] {
    const { tracing } = this;
    return tracing && !tracing.isOff && tracing.isLookedAt ? samples(tracing) : [];
  }
}

function blockSamples({ blocks }: Tracing): readonly HostSample[] {
  if (!blocks) return [];
  return TRACING_BLOCKS.map((block) => {
    const reason = blocks[block];
    return { labels: labels({ block, reason: reason ?? '' }), value: reason === null ? 1 : 0 };
  });
}
