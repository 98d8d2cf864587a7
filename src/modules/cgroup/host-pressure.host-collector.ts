import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { HostCollector, HostCollectorAbout } from '../../model/host-collector.js';
import type { HostFamily, HostSample } from '../../model/host-family.js';
import { label } from '../../model/labels.js';
import { Outcome } from '../../model/outcome.js';
import { microsecondsToSeconds } from '../../model/units.js';
import { ALL_LENGTH, outcomeOfPressure, PressureFiles } from './pressure-files.js';
import { PRESSURE_LENGTH, RESOURCES, STALL_LENGTH, STALLS, TOTAL } from './pressure-text.js';

/** /proc/pressure: what all that runs on the host waits for, VMs or not. */
@Injectable()
export class HostPressureHostCollector implements HostCollector {
  static readonly about: HostCollectorAbout = {
    name: 'host_pressure',
    tier: 'sweep',
    reads: '`/proc/pressure/cpu`, `memory`, `io` and, where there is one, `irq`',
    enabled: true,
  };
  readonly about = HostPressureHostCollector.about;
  private readonly reading = new Float64Array(ALL_LENGTH).fill(Number.NaN);
  private readonly known: readonly HostFamily[] = [
    this.counter(
      'vmgauge_host_pressure_waiting_seconds_total',
      'some',
      'Time in which at least one task of the host had to wait for a resource that was short.',
    ),
    this.counter(
      'vmgauge_host_pressure_stalled_seconds_total',
      'full',
      'Time in which every task of the host that was not idle waited for a resource. Of the CPU there is no such time: somebody has it.',
    ),
  ];
  private files: PressureFiles | null = null;

  constructor(private readonly host: Host) {}

  read(): Outcome {
    const outcome = this.now();
    if (outcome !== Outcome.ok) this.reading.fill(Number.NaN);
    return outcome;
  }

  families(): readonly HostFamily[] {
    return this.known;
  }

  close(): void {
    this.files?.close();
    this.files = null;
  }

  private now(): Outcome {
    try {
      if (!this.files) {
        const files = PressureFiles.open(this.host, (resource) => this.host.proc('pressure', resource));
        if (typeof files === 'number') return files;
        this.files = files;
      }
      return this.files.read(this.reading);
    } catch (error) {
      return outcomeOfPressure(error);
    }
  }

  private counter(name: string, stall: (typeof STALLS)[number], help: string): HostFamily {
    const place = STALLS.indexOf(stall) * STALL_LENGTH + TOTAL;
    const samples = (): readonly HostSample[] =>
      RESOURCES.flatMap((resource, i) => {
        const microseconds = this.reading[i * PRESSURE_LENGTH + place];
        // Not defined for the host as a whole; since Linux 5.13 the kernel prints 0 there.
        const isDefined = !(resource === 'cpu' && stall === 'full');
        return Number.isNaN(microseconds) || !isDefined
          ? []
          : [{ labels: label('resource', resource), value: microsecondsToSeconds(microseconds) }];
      });
    return { name, type: 'counter', help, unit: 'seconds', labelNames: ['resource'], samples };
  }
}
