import { timeLeft, withDeadline } from '../../host/deadline.js';
import type { StrangersSocket } from '../../host/held-socket.js';
import { HostError } from '../../host/host-error.js';
import { Outcome } from '../../model/outcome.js';
import type { Intrusion } from './dialogue.js';
import type { OwnSocket } from './own-socket.js';
import { type ApiAnswer, type NotOk, notOkOf, UnixApi } from './unix-api.js';

const ROOT = '/api/v1/';

/**
 * Cloud Hypervisor's API in rounds: the door is looked at and held once a round, and not approached while a question of ours may still wait
 * behind it. Nothing here rejects.
 */
export class CloudHypervisorApi {
  /** Held for a round. */
  private door: StrangersSocket | null = null;
  private readonly api: UnixApi;
  /** A question was given up: it may be in the queue of the socket, or under way inside the VMM. */
  private isOpen = false;
  /** Of those who wait for a round. No promise: one that lives as long as the VM would keep each answer that was raced against it. */
  private readonly waiting = new Set<() => void>();

  /** @param now milliseconds, monotonic */
  constructor(
    private readonly socket: OwnSocket,
    private readonly now: () => number,
  ) {
    this.api = new UnixApi({ use: (_, ask) => this.atDoor(ask) }, now);
  }

  get intrusion(): Intrusion {
    return this.api.intrusion;
  }

  /**
   * So many questions as there is time for.
   * @param until on the clock of `now`
   * @returns why none was asked, where that is so
   */
  async round<T>(until: number, ask: () => Promise<T | NotOk>): Promise<T | NotOk> {
    if (this.api.isEnded) return Outcome.gone;
    const left = timeLeft(until, this.now);
    try {
      const found = await withDeadline(this.look(), left(), 'looking for the socket of a VMM');
      if (found !== Outcome.ok) return found;
      return await this.socket.use(left(), (door) => {
        this.door = door;
        return ask();
      });
    } catch (error) {
      return notOkOf(error);
    } finally {
      this.door = null;
    }
  }

  /** Within a round. @param until on the clock of `now` */
  async get(endpoint: string, until: number): Promise<ApiAnswer | NotOk> {
    if (this.api.isEnded) return Outcome.gone;
    if (this.now() >= until) return Outcome.timeout;
    const answer = await this.api.get(ROOT + endpoint, until);
    this.isOpen = answer === Outcome.timeout;
    return answer;
  }

  /** What comes of a round; gone as soon as it is closed. */
  unlessClosed<T>(round: Promise<T>): Promise<T | typeof Outcome.gone> {
    return new Promise((resolve, reject) => {
      const leave = (): void => resolve(Outcome.gone);
      this.waiting.add(leave);
      round.then(resolve, reject).finally(() => this.waiting.delete(leave));
    });
  }

  close(): void {
    this.api.end();
    for (const leave of this.waiting) leave();
  }

  private async atDoor<T>(ask: (door: StrangersSocket) => Promise<T>): Promise<T> {
    if (!this.door) throw new HostError('ENOENT', 'no round is under way');
    return ask(this.door);
  }

  private async look(): Promise<Outcome> {
    const found = await this.socket.look();
    if (found !== Outcome.ok || !this.isOpen) return found;
    // Its server accepts as soon as it is back from what holds it up.
    return (await this.socket.door()).waiting > 0 ? Outcome.timeout : Outcome.ok;
  }
}

/**
 * What a status says of a question that is right. 503 comes unasked when all ten connections are taken. 500 has the chain of errors as a JSON
 * list of texts, and is also how a VM is refused that migrates or is not booted.
 * @param otherwise of a 500 that does not say that it migrates
 */
export function refusalOf({ status, text }: ApiAnswer, otherwise: NotOk): NotOk {
  if (status === 404) return Outcome.unsupported;
  if (status === 503 || status === 429) return Outcome.busy;
  if (status !== 500) return Outcome.ioError;
  return /migrat/i.test(text) ? Outcome.migrating : otherwise;
}
