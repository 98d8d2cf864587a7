import { Injectable } from '@nestjs/common';
import { Host } from '../../../host/host.js';
import type { HostCollector, HostCollectorAbout } from '../../../model/host-collector.js';
import type { HostFamily } from '../../../model/host-family.js';
import { Outcome } from '../../../model/outcome.js';
import { Settings } from '../../../model/settings.js';
import { hostPortFamilies } from './host-port-families.js';
import { OvsObserver, worst } from './observer.js';
import { flowFamilies, livenessFamilies } from './ovs-families.js';

/** What the switches of this host count, apart from ports of instances. It alone makes them answer: `switch_ports` and `antrea` show what came. */
@Injectable()
export class OvsHostCollector implements HostCollector {
  static readonly about: HostCollectorAbout = {
    name: 'ovs',
    tier: 'timer',
    reads:
      '`db.sock` and `<bridge>.mgmt` of Open vSwitch over connections that stay: bridges and ports as they change; tables, ports, meters and flows in all by OpenFlow, some 2 ms of the switch’s CPU a bridge and poll, 10 ms with 500 ports',
    enabled: true,
  };
  readonly about = OvsHostCollector.about;
  private readonly known: readonly HostFamily[];

  constructor(
    private readonly observer: OvsObserver,
    private readonly settings: Settings,
    host: Host,
  ) {
    this.known = [
      ...livenessFamilies(observer, () => host.clock.monotonic()),
      ...flowFamilies(observer),
      ...hostPortFamilies(() => observer.owners.hostPorts),
    ];
  }

  get intervalMs(): number {
    return this.settings.ovsIntervalMs;
  }

  /** Ok where every switch that is there answers with every bridge; else what is wrong with the first. What the others told is shown all the same. */
  async read(): Promise<Outcome> {
    await this.observer.poll();
    const outcomes = this.observer.switches.map(worst).filter((outcome) => outcome !== Outcome.notConfigured);
    if (outcomes.length === 0) return Outcome.notConfigured;
    return outcomes.find((outcome) => outcome !== Outcome.ok) ?? Outcome.ok;
  }

  families(): readonly HostFamily[] {
    return this.known;
  }

  close(): void {
    this.observer.close();
  }
}
