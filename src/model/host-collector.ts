import type { HostFamily } from './host-family.js';
import type { Outcome } from './outcome.js';

/**
 * Reads one topic of the host itself. One file `*.host-collector.ts` plus one line in collection/host-collectors.ts, which lists the class.
 *
 * `read` never throws for what a host can do: what is not there, may not be read or does not parse is an outcome. On any outcome but ok its
 * families have no sample that would be taken for a reading of now.
 */
export interface HostCollector {
  readonly about: HostCollectorAbout;
  /** For the tier `timer`: between two readings, milliseconds. */
  readonly intervalMs?: number;
  /** Every call is waited for before the next. In the tier `sweep` it is no promise and costs microseconds. */
  read(): Outcome | Promise<Outcome>;
  /** All that it can ever give, whether there is a sample now or not. */
  families(): readonly HostFamily[];
  /** No reading comes any more: connections and timers end. */
  close?(): void;
}

export interface HostCollectorAbout {
  /** Also the name of the flag `--collector.<name>` and the group of its families; no collector of instances has it. */
  readonly name: string;
  /** `sweep`: in every sweep. `timer`: on a timer of its own, off the sweep. */
  readonly tier: 'sweep' | 'timer';
  /** Which kernel files or sockets it reads, and what that costs where it is not little. */
  readonly reads: string;
  readonly enabled: boolean;
}

/** What a class is to THE LIST. */
export interface HostCollectorClass {
  readonly about: HostCollectorAbout;
  readonly name: string;
}
