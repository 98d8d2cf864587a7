import { Side } from './direction.js';
import { type Device, InterfaceLedger, isSameDevice } from './interface-ledger.js';

/** Interfaces that an instance had and has no more, each remembered by itself; what older ones came to stays in the sums. */
const MAX_LEFT = 64;

/** The ledgers of one instance for as long as its process lives: of the interfaces it has now, and of those it had. */
export class InterfaceLedgers {
  /** Bytes of interfaces that are the instance's no more. */
  leftRxBytes = 0;
  leftTxBytes = 0;
  private known: readonly InterfaceLedger[] = [];
  private forgottenRxBytes = 0;
  private forgottenTxBytes = 0;

  /** Nothing was ever counted. */
  get isEmpty(): boolean {
    return !this.known.some(({ hasReading }) => hasReading);
  }

  /**
   * A ledger for each of the interfaces that the instance has now, in their order. The same device goes on under whatever name; another
   * device goes on under the name of the one before it.
   */
  assign(devices: readonly Device[]): readonly InterfaceLedger[] {
    const free = new Set(this.known);
    const take = (match: (ledger: InterfaceLedger) => boolean): InterfaceLedger | undefined => {
      const found = [...free].findLast(match);
      if (found) free.delete(found);
      return found;
    };
    const same = devices.map((device) => take((ledger) => isSameDevice(ledger.device, device)));
    const assigned = devices.map(
      (device, i) => same[i] ?? take((ledger) => ledger.device.name === device.name) ?? new InterfaceLedger(device),
    );
    this.keep([...free], assigned);
    return assigned;
  }

  private keep(left: readonly InterfaceLedger[], assigned: readonly InterfaceLedger[]): void {
    const forgotten = left.slice(0, Math.max(0, left.length - MAX_LEFT));
    const remembered = left.slice(forgotten.length);
    this.forgottenRxBytes += sum(forgotten, Side.rxBytes);
    this.forgottenTxBytes += sum(forgotten, Side.txBytes);
    this.leftRxBytes = this.forgottenRxBytes + sum(remembered, Side.rxBytes);
    this.leftTxBytes = this.forgottenTxBytes + sum(remembered, Side.txBytes);
    this.known = [...remembered, ...assigned];
  }
}

const sum = (ledgers: readonly InterfaceLedger[], slot: number): number =>
  ledgers.reduce((total, ledger) => total + ledger.settled(slot), 0);
