import { Injectable } from '@nestjs/common';
import type { HostCollector, HostCollectorAbout } from '../../model/host-collector.js';
import type { HostFamily, HostSample } from '../../model/host-family.js';
import type { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { SocketsReader } from './sockets.js';

/** Looks at the TCP sockets of the host for as long as processes are asked for that nothing traces. `latency` shows what came. */
@Injectable()
export class SocketsHostCollector implements HostCollector {
  static readonly about: HostCollectorAbout = {
    name: 'sockets',
    tier: 'timer',
    reads: '`ss -tinpHOe` for as long as something is not traced: 35 ms of CPU for 1,000 connections, and 15 ms of the agent',
    enabled: true,
  };
  readonly about = SocketsHostCollector.about;
  private readonly known: readonly HostFamily[];

  constructor(
    private readonly sockets: SocketsReader,
    private readonly settings: Settings,
  ) {
    this.known = [
      {
        name: 'vmgauge_sockets_connections',
        labelNames: [],
        type: 'gauge',
        help: 'TCP connections in the network namespace of the agent at the last look, whoever has them. Without a sample while nobody has to look.',
        samples: () => plain(this.sockets.connections),
      },
      {
        name: 'vmgauge_sockets_unreadable_lines_total',
        labelNames: [],
        type: 'counter',
        help: 'Lines about TCP connections that could not be read, each one connection that was left out of a look.',
        samples: () => plain(this.sockets.unreadable),
      },
    ];
  }

  get intervalMs(): number {
    return this.settings.socketsIntervalMs;
  }

  read(): Promise<Outcome> {
    return this.sockets.read();
  }

  families(): readonly HostFamily[] {
    return this.known;
  }

  close(): void {
    this.sockets.close();
  }
}

const plain = (value: number | null): readonly HostSample[] => (value === null ? [] : [{ labels: '', value }]);
