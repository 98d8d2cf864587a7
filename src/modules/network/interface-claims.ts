import type { Subject } from '../../model/collector.js';
import type { Nic } from '../../model/instance.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import type { InterfaceKey, Tables } from '../../model/tables.js';
import { isCounted } from './direction.js';
import { Attachment } from './interface-attachment.js';
import { type Device, InterfaceLedger } from './interface-ledger.js';
import type { InterfaceLedgers } from './interface-ledgers.js';
import type { Found, Namespaces } from './namespaces.js';
import { isStillHeld } from './tap-descriptor.js';

/** A NIC and where its interface was found. */
interface Place {
  readonly key: InterfaceKey;
  readonly row: number;
  readonly nic: Nic;
  readonly found: Found | null;
  readonly device: Device;
  readonly old: Attachment | undefined;
}

/** Finds the interfaces of an instance whose NICs are known anew, and goes on with the ledgers and rows that it had. */
export class InterfaceClaims {
  constructor(
    private readonly tables: Tables,
    private readonly namespaces: Namespaces,
    /** Counts the passes. */
    private readonly now: () => number,
  ) {}

  /** @param before what it had until now, let go of here; rows of which none is in the answer are the caller's to remove */
  renew(subject: Subject, process: HeldProcess, ledgers: InterfaceLedgers, before: readonly Attachment[]): readonly Attachment[] {
    const namespaces = before.flatMap(({ namespace }) => namespace ?? []);
    return this.namespaces.remembering(namespaces, () => {
      this.release(before);
      return this.attachAll(subject, process, ledgers, before);
    });
  }

  release(attachments: readonly Attachment[]): void {
    for (const attachment of attachments) if (attachment.namespace) this.namespaces.release(attachment.namespace, attachment);
  }

  private attachAll(
    subject: Subject,
    process: HeldProcess,
    ledgers: InterfaceLedgers,
    before: readonly Attachment[],
  ): readonly Attachment[] {
    const changes = this.namespaces.deviceChanges();
    const places = (subject.nics ?? []).map((nic, place) => this.place(subject, process, nic, place, before));
    const counted = places.filter(({ nic, key }) => isCounted(nic.kind) && key.name !== '');
    const assigned = ledgers.assign(counted.map(({ device }) => device));
    return places.map((place) => {
      const ledger = assigned[counted.indexOf(place)] ?? new InterfaceLedger(place.device);
      return this.attach(subject, process, place, ledger, changes);
    });
  }

  private place(subject: Subject, process: HeldProcess, nic: Nic, place: number, before: readonly Attachment[]): Place {
    const { kind, name = '' } = nic;
    const found = isCounted(kind) && name !== '' ? this.namespaces.find(process, name) : null;
    const index = found ? found.namespace.indexOf(name, found.door) : Number.NaN;
    const old = before.find((one) => one.name === name && one.key.place === place);
    const key = old?.key ?? { parent: subject, place, name };
    const row = old?.row ?? this.tables.interfaces.add(key);
    return { key, row, nic, found, device: { name, namespace: found?.namespace.identity ?? null, index }, old };
  }

  private attach(
    subject: Subject,
    process: HeldProcess,
    { key, row, nic, found, device, old }: Place,
    ledger: InterfaceLedger,
    changes: number,
  ): Attachment {
    const namespace = found?.namespace ?? null;
    const isOldNews = old?.isRivalled === true && old.nics === subject.nics;
    const attachment = new Attachment(
      {
        owner: subject,
        process: `${process.pid}:${process.startTicks}`,
        key,
        row,
        kind: nic.kind,
        namespace,
        door: found?.door ?? ((table) => process.open(`net/${table}`)),
        unopened: found === null && isCounted(nic.kind) && key.name !== '' ? whyUnopened(process) : Outcome.ok,
        device,
        ledger,
        // Whoever claimed it knew more than is known now; for as long as they do, it is theirs.
        yields: isOldNews && namespace?.isWatchedByOther(key.name, subject) === true,
        changes,
        isHeld: () => isStillHeld(process, nic),
      },
      this.now,
    );
    namespace?.watch(attachment);
    return attachment;
  }
}

function whyUnopened(process: HeldProcess): Outcome {
  try {
    process.open('net/dev').close();
    return Outcome.ok;
  } catch (error) {
    return outcomeOfErrno(error);
  }
}
