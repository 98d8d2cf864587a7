import type { Clock } from '../../host/clock.js';
import { spread } from '../../host/pacing.js';
import { Outcome } from '../../model/outcome.js';

/** A VM is moved when it is set up, and hardly ever later; looking for that costs more than all readings. */
const LOOK_MS = 60_000;

/** The first pause is shorter, so that not all instances have their turn at the same moment. @param before when the last turn was to be, -Infinity for none */
export const pauseFrom = (before: number, ms: number, row: number): number =>
  before === Number.NEGATIVE_INFINITY ? ms * (1 - spread(row)) : ms;

/** What a collector does of one instance. */
export interface Standpoint {
  /** Looks where it stands now, and opens what is read there. @returns ok once it stands there, or why it stands nowhere */
  stand(): Outcome;
  /** @returns gone where a cgroup was removed */
  read(): Outcome;
}

/** When it is looked again where an instance stands: once a minute, and at once when its cgroup was removed. */
export class Lookout {
  private standing: Outcome = Outcome.busy;
  /** Monotonic milliseconds of the next look. */
  private nextAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly clock: Clock,
    private readonly row: number,
  ) {}

  /** Looks again at the next turn. */
  soon(): void {
    this.nextAt = Number.NEGATIVE_INFINITY;
  }

  turn(point: Standpoint): Outcome {
    if (this.clock.monotonic() >= this.nextAt) this.look(point);
    const outcome = this.read(point);
    if (outcome !== Outcome.gone || this.standing !== Outcome.ok) return outcome;
    // A cgroup was removed, which takes that nobody is in it: the process, which lives, was moved before.
    this.look(point);
    const again = this.read(point);
    return again === Outcome.gone && this.standing === Outcome.ok ? Outcome.busy : again;
  }

  private read(point: Standpoint): Outcome {
    return this.standing === Outcome.ok ? point.read() : this.standing;
  }

  private look(point: Standpoint): void {
    this.nextAt = this.clock.monotonic() + pauseFrom(this.nextAt, LOOK_MS, this.row);
    this.standing = point.stand();
    if (this.standing === Outcome.busy) this.soon();
  }
}
