import { Outcome } from '../../model/outcome.js';
import { refusalOf } from './cloud-hypervisor-api.js';
import { type BalloonStatistics, parseBalloonStatistics } from './cloud-hypervisor-counters.js';
import { type ApiAnswer, isAnswer, type NotOk } from './unix-api.js';

/** Rounds that one is left out for, at most, after those before it were not answered. */
const LONGEST_SILENCE = 64;

/**
 * Whether the guest behind a balloon is asked for statistics. Its VMM waits for it up to a second and answers nobody meanwhile
 * (cloud-hypervisor#8603): a guest that does not answer is asked ever less often, and a VMM that cannot ask it once only.
 */
export class GuestQuestion {
  private refusal: NotOk = Outcome.busy;
  private silence = 0;
  private skipped = 0;

  /** One round. @returns what the guest said, or why it said nothing */
  async ask(get: () => Promise<ApiAnswer | NotOk>, now: () => number): Promise<BalloonStatistics | NotOk> {
    if (this.skipped < this.silence) {
      this.skipped++;
      return this.refusal;
    }
    const answer = await get();
    const told = isAnswer(answer) && answer.status === 200 ? parseBalloonStatistics(answer.text, now()) : undefined;
    this.skipped = 0;
    if (told) {
      this.silence = 0;
      return told;
    }
    this.refusal = refusalOfGuest(answer);
    const isForGood = isAnswer(answer) && answer.status === 404;
    this.silence = isForGood ? Number.POSITIVE_INFINITY : Math.min(LONGEST_SILENCE, Math.max(1, this.silence * 2));
    return this.refusal;
  }
}

/** By the texts of DeviceManagerError in vmm/src/device_manager.rs. */
function refusalOfGuest(answer: ApiAnswer | NotOk): NotOk {
  if (!isAnswer(answer)) return answer;
  if (answer.status === 200) return Outcome.malformed;
  const { text } = answer;
  if (/not negotiated|missing virtio-balloon/i.test(text)) return refusalOf(answer, Outcome.unsupported);
  return refusalOf(answer, /timed out/i.test(text) ? Outcome.timeout : Outcome.busy);
}
