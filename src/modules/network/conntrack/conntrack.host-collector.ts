import { Injectable } from '@nestjs/common';
import type { HostCollector, HostCollectorAbout } from '../../../model/host-collector.js';
import type { HostFamily, HostSample } from '../../../model/host-family.js';
import { label } from '../../../model/labels.js';
import type { Outcome } from '../../../model/outcome.js';
import { CONNTRACK_WORDS, type ConntrackWord } from './conntrack-stat.js';
import { HostConntrack } from './host-conntrack.js';

/** What one more of each says, in sentences. */
const COUNTED: Readonly<Record<ConntrackWord, string>> = {
  chaintoolong: 'Connections that were not put into the table because their place in it holds too many already.',
  clash_resolve: 'Connections that two packets made at the same moment, and that the kernel could make one of.',
  drop: 'Packets dropped because their connection could not be tracked: the table was full, or a helper refused it.',
  early_drop: 'Connections that were forgotten before their time to make room in a full table.',
  error: 'Packets that could not be tracked because of an error in them, most of them ICMP errors about no known connection.',
  found: 'Lookups that found a connection where a free place was wanted, most of them on behalf of address translation.',
  insert_failed: 'Connections that could not be put into the table because the same was there already; the packet is dropped.',
  invalid: 'Packets that belong to no connection and cannot begin one.',
  search_restart: 'Lookups that began anew because the table changed under them.',
};

/** How many connections the host tracks, of how many it could, and what it could not track. */
@Injectable()
export class ConntrackHostCollector implements HostCollector {
  static readonly about: HostCollectorAbout = {
    name: 'conntrack',
    tier: 'sweep',
    reads:
      '`/proc/1/net/stat/nf_conntrack` and `/proc/sys/net/netfilter/nf_conntrack_max`; without the first, as on many kernels, the count alone from `nf_conntrack_count`',
    enabled: true,
  };
  readonly about = ConntrackHostCollector.about;
  private readonly known: readonly HostFamily[];

  constructor(private readonly conntrack: HostConntrack) {
    this.known = [
      {
        name: 'vmgauge_conntrack_entries',
        type: 'gauge',
        help: 'Connections tracked in the network namespace of the host; those of VMs that have their own are not among them.',
        samples: () => plain(this.conntrack.last?.entries),
      },
      {
        name: 'vmgauge_conntrack_max_entries',
        type: 'gauge',
        help: 'Connections beyond which new ones are refused, in each network namespace for itself; 0 is no limit.',
        samples: () => plain(this.conntrack.last?.maxEntries),
      },
      ...CONNTRACK_WORDS.map((word) => this.counter(word)),
    ];
  }

  read(): Outcome {
    return this.conntrack.read();
  }

  families(): readonly HostFamily[] {
    return this.known;
  }

  private counter(word: ConntrackWord): HostFamily {
    return {
      name: `vmgauge_conntrack_${word}_total`,
      type: 'counter',
      help: `${COUNTED[word]} In the network namespace of the host, by CPU; has 32 bits.`,
      labelNames: ['cpu'],
      samples: () =>
        (this.conntrack.last?.cpus ?? []).flatMap(({ cpu, counters }) => {
          const value = counters[word];
          return value === undefined ? [] : [{ labels: label('cpu', String(cpu)), value }];
        }),
    };
  }
}

const plain = (value: number | null | undefined): readonly HostSample[] =>
  value === null || value === undefined ? [] : [{ labels: '', value }];
