import type { Subject } from '../../model/collector.js';
import type { NicKind } from '../../model/instance.js';
import { Outcome } from '../../model/outcome.js';
import type { InterfaceKey } from '../../model/tables.js';
import { type GuestCounters, guestCounters, isCounted } from './direction.js';
import type { Device, InterfaceLedger } from './interface-ledger.js';
import type { Door, NetworkNamespace, Watcher } from './namespace.js';

/** What is known of an interface when an instance's NICs are known. */
export interface Claim {
  readonly owner: Subject;
  /** Process that it is counted for: pid and start time, which never come again together. */
  readonly process: string;
  readonly key: InterfaceKey;
  readonly row: number;
  readonly kind: NicKind;
  readonly namespace: NetworkNamespace | null;
  readonly door: Door;
  /** Why there is no namespace: no table could be opened at all. */
  readonly unopened: Outcome;
  readonly device: Device;
  readonly ledger: InterfaceLedger;
  readonly yields: boolean;
  /** What the machine's count of device changes was before all this was looked at; NaN where it has none. */
  readonly changes: number;
  /** Asks whether the process holds the interface of this name now; undefined where that cannot be asked. */
  isHeld(): boolean | undefined;
}

/**
 * An interface of an instance until its NICs are known anew. A table tells interfaces by name only, and the name may be a stranger's device
 * by now: once that is in doubt nothing is counted any more, because whatever a sum took in it never gives back.
 */
export class Attachment implements Watcher {
  readonly owner: Subject;
  readonly row: number;
  readonly key: InterfaceKey;
  readonly name: string;
  readonly kind: NicKind;
  readonly door: Door;
  readonly yields: boolean;
  readonly namespace: NetworkNamespace | null;
  readonly ledger: InterfaceLedger;
  /** The knowledge that it comes from. */
  readonly nics: Subject['nics'];
  /** Somebody else claims it, on newer knowledge. */
  isRivalled: boolean;
  private device: Device;
  private isDoubtful: boolean;
  /** As of this count of device changes it was sure which device it is; since then, some came or went and nothing told. */
  private sureAt: number;
  private isUnsure = false;
  private hasBegun = false;
  private readonly reading = guestCounters();
  /** The pass in which its line was last seen, and in which it was seen and did not parse. */
  private seen = Number.NaN;
  private malformedAt = Number.NaN;

  constructor(
    private readonly claim: Claim,
    private readonly now: () => number,
  ) {
    const { owner, row, key, kind, door, yields, namespace, device, ledger } = claim;
    this.owner = owner;
    this.row = row;
    this.key = key;
    this.name = key.name;
    this.kind = kind;
    this.door = door;
    this.yields = this.isRivalled = yields;
    // Or it was given away since its NICs were looked at.
    this.isDoubtful = yields || claim.isHeld() === false;
    this.sureAt = claim.changes;
    this.namespace = namespace;
    this.ledger = ledger;
    this.nics = owner.nics;
    // Where nothing tells it now, it is what it last was.
    const isKnown = !Number.isNaN(device.index) || ledger.device.namespace !== device.namespace;
    this.device = isKnown ? device : { ...device, index: ledger.device.index };
  }

  /** NaN where nothing tells it. */
  get index(): number {
    return this.device.index;
  }

  rivalled(): void {
    this.isRivalled = this.isDoubtful = true;
  }

  identify(index: number, changes: number): void {
    const isUnchanged = changes === this.sureAt;
    // A device that is down on a host without IPv6 is on no list.
    this.isUnsure = Number.isNaN(index) && !isUnchanged;
    if (Number.isNaN(index)) return;
    this.sureAt = changes;
    if (!Number.isNaN(this.device.index)) this.isDoubtful ||= index !== this.device.index;
    else if (isUnchanged || this.claim.isHeld() === true) this.device = { ...this.device, index };
    else this.isDoubtful = true;
  }

  get isUnidentified(): boolean {
    if (!(this.isUnsure || Number.isNaN(this.device.index)) || this.isDoubtful || this.seen !== this.now()) return false;
    return !this.hasBegun || this.ledger.isBehind(this.reading);
  }

  malformed(): void {
    this.malformedAt = this.now();
  }

  take(counters: GuestCounters): void {
    this.seen = this.now();
    this.reading.set(counters);
  }

  /** Into the ledger with what the last pass read, if it is sure whose it is. After the pass, when the devices were identified. */
  settle(): Outcome {
    if (!isCounted(this.kind)) return Outcome.unsupported;
    if (this.seen !== this.now()) return this.whyUnseen();
    if (this.isUnsure && !this.isProven()) this.isDoubtful = true;
    if (this.isDoubtful) return Outcome.gone;
    if (!this.hasBegun) this.begin();
    else if (this.ledger.isAhead(this.reading)) return this.whyUnseen();
    this.ledger.take(this.reading);
    return Outcome.ok;
  }

  /** That it may be counted although no list has it: nothing went through it, it is held, or its name is all that was ever known of it. */
  private isProven(): boolean {
    if (this.hasBegun && !this.ledger.isBehind(this.reading)) return true;
    return this.claim.isHeld() ?? Number.isNaN(this.index);
  }

  private begin(): void {
    const { namespace, process, ledger } = this.claim;
    const before = namespace?.owners.get(this.index);
    ledger.begin(this.device, this.reading, before !== undefined && before !== process);
    if (!Number.isNaN(this.index)) namespace?.owners.set(this.index, process);
    this.hasBegun = true;
  }

  private whyUnseen(): Outcome {
    const { namespace } = this;
    if (this.malformedAt === this.now()) return Outcome.malformed;
    if (namespace === null && this.claim.unopened !== Outcome.ok) return this.claim.unopened;
    if (namespace !== null && namespace.outcome !== Outcome.ok) return namespace.outcome;
    // Whatever has the name next need not be the same.
    this.isDoubtful = true;
    return Outcome.gone;
  }
}
