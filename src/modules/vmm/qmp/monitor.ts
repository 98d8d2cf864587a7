import { withHeldSocket } from '../../../host/held-socket.js';
import type { Host } from '../../../host/host.js';
import { Outcome } from '../../../model/outcome.js';
import type { HeldProcess } from '../../../model/process.js';
import type { Settings } from '../../../model/settings.js';
import { ProcfsProcess } from '../../procfs/held-process.js';
import { OwnSocket } from '../own-socket.js';
import { type Door, isOwned } from './door.js';
import { QmpFailure } from './failure.js';
import { type Clients, clientsNow, type Occupancy, occupancyOf } from './occupancy.js';

const NONE: ReadonlySet<string> = new Set();
const busy = (): QmpFailure => new QmpFailure(Outcome.busy, 'somebody is there');

/** A monitor as the kernel sees it. Everything here but `open` is a look at tables; the VMM notices nothing of it. */
export class Monitor {
  private readonly socket: OwnSocket;
  /** Clients of listeners of the same name, by inode. */
  private others = NONE;
  /** The VMM's end of our last connection, by inode. */
  private ours: string | null = null;
  /** We left without having been greeted: what waits in the listener's queue is what is left of us. */
  private hasAbandoned = false;

  private constructor(
    readonly door: Door,
    private readonly process: ProcfsProcess,
    private readonly host: Host,
    private readonly settings: Settings,
  ) {
    this.socket = new OwnSocket(process, door.path, host);
  }

  /** null for a process without files. */
  static of(door: Door, process: HeldProcess, host: Host, settings: Settings): Monitor | null {
    return process instanceof ProcfsProcess ? new Monitor(door, process, host, settings) : null;
  }

  /**
   * Passes where the VMM listens here and nobody is connected or waits.
   * @throws QmpFailure busy; timeout where the VMM did not even notice that we left; what `OwnSocket.look` says
   */
  async expectFree(): Promise<void> {
    const listening = await this.socket.look();
    if (listening !== Outcome.ok) throw new QmpFailure(listening, 'the VMM does not listen there');
    const { accepted, waiting, others, unknown } = await this.look();
    this.others = others;
    if (this.isLeftOver(accepted, waiting)) throw new QmpFailure(Outcome.timeout, 'it did not notice yet that we left');
    if (accepted.size + waiting > 0) throw busy();
    this.hasAbandoned = false;
    if (this.door.kind === 'borrowed' && unknown > 0) throw busy();
  }

  /**
   * @param connect to a path that is the socket for as long as this takes
   * @throws QmpFailure notPermitted where links lead to somebody else's door; busy; what `withHeldSocket` and `connect` throw
   */
  open<T>(left: () => number, connect: (path: string) => Promise<T>): Promise<T> {
    return this.socket.use(left(), (socket) =>
      withHeldSocket(socket, left, ({ path, realPath }) => {
        if (isOwned(realPath, this.settings)) throw new QmpFailure(Outcome.notPermitted, 'somebody else’s monitor');
        // Of its tables the kernel gives no snapshot: whoever hands over a borrowed monitor just then is seen by a second look.
        if (this.count() > 0) throw busy();
        return connect(path);
      }),
    );
  }

  /** Nobody but us has come to a borrowed monitor. @throws QmpFailure busy */
  expectAlone(): void {
    if (this.count() > 1) throw busy();
  }

  /** After a greeting: that it came from the VMM, because the VMM accepted us and nobody else. @throws QmpFailure notPermitted */
  async expectAccepted(): Promise<void> {
    const { accepted, held } = await this.look();
    if (accepted.size !== 1 || held.size !== 1) throw new QmpFailure(Outcome.notPermitted, 'another process answered');
    [this.ours] = held;
  }

  /** No greeting came, and we left. */
  async abandoned(): Promise<void> {
    this.hasAbandoned = true;
    const { accepted, waiting } = await this.look();
    if (accepted.size === 1 && waiting === 0) [this.ours] = accepted;
  }

  /** What is there is what we left behind: a VMM that works would have cleared it away long ago. */
  private isLeftOver(accepted: ReadonlySet<string>, waiting: number): boolean {
    if (accepted.size === 0) return this.hasAbandoned && waiting === 1;
    return waiting === 0 && [...accepted].every((inode) => inode === this.ours);
  }

  /** Clients at this moment, ourselves included; 0 of a reserved monitor, where nobody else has anything to lose. */
  private count(): number {
    if (this.door.kind === 'reserved') return 0;
    const { accepted, waiting }: Clients = clientsNow(this.process.held, this.door.path, this.host, this.others);
    return accepted.size + waiting;
  }

  private look(): Promise<Occupancy> {
    return occupancyOf(this.process.held, this.door.path, this.host);
  }
}
