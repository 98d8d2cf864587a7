import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import { outcomeWords } from '../../model/outcome.js';
import { HostCollection } from '../collection/host-collection.js';

/** How the collectors of the host itself did; what they read is on `/metrics`. A pure reader. */
@Injectable()
export class HostView {
  constructor(
    private readonly collection: HostCollection,
    private readonly host: Host,
  ) {}

  /** The members of `host` as JSON text: `"collectors":{…}`. */
  json(): string {
    const now = this.host.clock.monotonic();
    const collectors: Record<string, unknown> = {};
    for (const { collector, outcome, seconds, readAt } of this.collection.active) {
      const age = readAt === null ? null : rounded((now - readAt) / 1000);
      collectors[collector.about.name] = {
        ...outcomeWords(outcome),
        seconds: seconds === null ? null : rounded(seconds),
        age_seconds: age,
      };
    }
    return `"collectors":${JSON.stringify(collectors)}`;
  }
}

/** Nine significant digits: measured times have no more. */
const rounded = (value: number): number => Number(value.toPrecision(9));
