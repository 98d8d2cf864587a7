import type { Host } from '../../../host/host.js';
import type { Subject } from '../../../model/collector.js';
import type { BridgeWatch } from './bridge-watch.js';
import type { OvsDatabase, OvsInterface } from './database.js';
import { DeviceLook, type DeviceNames } from './device-names.js';
import { type Claim, type Evidence, joinPorts, type PortPlace, soleMacs, vhostSockets } from './join.js';
import { runPath } from './switch-socket.js';

/** What the owners need of one run directory. */
export interface PlugBoard {
  readonly directory: string;
  readonly database: OvsDatabase | null;
  /** Network namespace of the switch. */
  readonly namespace: string | null;
  readonly watched: readonly { readonly bridge: PortPlace['bridge']; readonly watch: BridgeWatch }[];
}

/** A port with whoever counts at it. */
export interface OwnPort {
  readonly place: PortPlace;
  readonly watch: BridgeWatch;
  readonly evidence: Evidence;
}
export type HostPort = Omit<OwnPort, 'evidence'>;

const NONE: readonly OwnPort[] = [];

/** Whose port each is. Made anew when the database, or what is known of an instance, is another than last time. */
export class PortOwners {
  /** Ports that are no instance's, as the last join found. */
  hostPorts: readonly HostPort[] = [];
  private readonly subjects = new Set<Subject>();
  private readonly claims = new Map<Subject, KeptClaim>();
  private owned: ReadonlyMap<Subject, readonly OwnPort[]> = new Map();
  private joinedOf: readonly unknown[] = [];
  /** Instances that came, left or were looked at, and how many of those the last join knew. */
  private changes = 0;
  private joinedChanges = -1;
  private begun = 0;

  constructor(private readonly host: Host) {}

  /** An instance, or one whose devices were looked at anew. */
  attach(subject: Subject): void {
    this.subjects.add(subject);
    this.claims.delete(subject);
    this.changes++;
  }

  detach(subject: Subject): void {
    this.subjects.delete(subject);
    this.claims.delete(subject);
    this.changes++;
  }

  /** The same list until something changed. */
  of(subject: Subject): readonly OwnPort[] {
    return this.owned.get(subject) ?? NONE;
  }

  /** @param boards each bridge in one of them. Stops after each instance and each port, so that the caller may pause */
  *update(boards: readonly PlugBoard[]): Iterable<void> {
    const of = boards.flatMap(({ database, namespace, watched }) => [database, namespace, ...watched.map(({ watch }) => watch)]);
    const isSame = of.length === this.joinedOf.length && of.every((one, i) => one === this.joinedOf[i]);
    const { changes } = this;
    // Without a database nobody can be joined with anything.
    const isTold = boards.some(({ database }) => database !== null);
    if (isSame && changes === this.joinedChanges && (!isTold || [...this.claims.values()].every(isCurrent))) return;
    const turn = ++this.begun;
    if (isTold) yield* this.claim();
    const { owned, hostPorts } = yield* this.join(boards);
    // During a pause somebody may have begun anew, who knows more.
    if (turn !== this.begun) return;
    this.owned = owned;
    this.hostPorts = hostPorts;
    this.joinedOf = of;
    this.joinedChanges = changes;
  }

  private *claim(): Iterable<void> {
    const look = new DeviceLook(this.host);
    for (const subject of [...this.subjects]) {
      const known = this.claims.get(subject);
      // It may have left during a pause.
      if (!this.subjects.has(subject) || (known && isCurrent(known))) continue;
      this.claims.set(subject, claimOf(subject, look.namesOf(subject)));
      yield;
    }
  }

  private *join(boards: readonly PlugBoard[]): Generator<void, Pick<PortOwners, 'hostPorts'> & { readonly owned: PortOwners['owned'] }> {
    const owned = new Map<Subject, OwnPort[]>();
    const hostPorts: HostPort[] = [];
    const placesByBoard = boards.map(({ watched }) => watched.flatMap(({ bridge }) => placesOf(bridge)));
    const macs = yield* soleMacs(placesByBoard.flat());
    for (const [index, { directory, namespace, watched }] of boards.entries()) {
      const places = placesByBoard[index];
      if (places.length === 0) continue;
      const watches = new Map(watched.map(({ bridge, watch }) => [bridge, watch]));
      const doubtful = new Set<string>();
      const indexes = new Map(places.map(({ iface }) => [iface.name, iface.ifIndex]));
      const left = new Set(places);
      const rules = { socketsOf: (iface: OvsInterface) => socketsOf(iface, directory), macs };
      for (const [subject, joined] of yield* joinPorts(places, claimsIn(this.claims, namespace, indexes, doubtful), rules)) {
        const own = owned.get(subject) ?? [];
        owned.set(subject, own);
        for (const { place, evidence } of joined) {
          left.delete(place);
          const watch = watches.get(place.bridge);
          if (watch) own.push({ place, evidence, watch });
        }
      }
      for (const place of left) {
        const watch = watches.get(place.bridge);
        if (watch && !doubtful.has(place.iface.name)) hostPorts.push({ place, watch });
      }
    }
    return { owned, hostPorts };
  }
}

interface KeptClaim extends Omit<Claim, 'devices'> {
  readonly subject: Subject;
  readonly version: number;
  readonly nics: Subject['nics'];
  /** null where they could not be looked at: the next join tries again. */
  readonly devices: DeviceNames | null;
  /** Index of each device as the database first had it after the devices were looked at. */
  readonly indexes: Map<string, number>;
}

const isCurrent = ({ subject, version, nics, devices }: KeptClaim): boolean =>
  subject.version === version && subject.nics === nics && devices !== null;

const placesOf = (bridge: PortPlace['bridge']): readonly PortPlace[] =>
  bridge.ports.flatMap((port) => port.interfaces.map((iface) => ({ bridge, port, iface })));

function claimOf(subject: Subject, devices: DeviceNames | null): KeptClaim {
  const { id, record, version } = subject;
  const nics = subject.nics ?? [];
  return {
    ...{ subject, version, nics: subject.nics, devices, indexes: new Map() },
    sockets: nics.flatMap(({ socket }) => (socket === undefined ? [] : [runPath(socket)])),
    ids: [...new Set([id, record.id, record.uuid, record.sandbox?.id].flatMap((word) => (word ? [word.toLowerCase()] : [])))],
    macs: nics.flatMap(({ mac }) => (mac === undefined ? [] : [mac.toLowerCase()])),
  };
}

/** Of one switch: its network namespace, which device each name is in its database, and names that turned out to be another one's. */
type Seen = readonly [namespace: string | null, indexes: ReadonlyMap<string, number | null>, doubtful: Set<string>];

/**
 * What an instance claims at the ports of one switch. A device that was made anew under its old name may be another instance's by now: nothing is
 * claimed by it until the descriptors have been looked at again.
 */
function claimIn(kept: KeptClaim, ...[namespace, indexes, doubtful]: Seen): Claim {
  const { subject, devices, indexes: known, sockets, ids, macs } = kept;
  const isStill = (name: string): boolean => {
    const index = indexes.get(name) ?? null;
    if (index === null) return true;
    const before = known.get(name);
    if (before === undefined) known.set(name, index);
    if (before === undefined || before === index) return true;
    doubtful.add(name);
    subject.devicesChanged();
    return false;
  };
  // Its ports are no host's until it is known which they are.
  if (devices === null) for (const { name } of subject.nics ?? []) if (name !== undefined) doubtful.add(name);
  return { devices: (namespace === null ? [] : (devices?.get(namespace) ?? [])).filter(isStill), sockets, ids, macs };
}

/** One after the other, as they are asked for. */
function* claimsIn(claims: ReadonlyMap<Subject, KeptClaim>, ...[namespace, indexes, doubtful]: Seen): Generator<readonly [Subject, Claim]> {
  for (const [subject, kept] of claims) yield [subject, claimIn(kept, namespace, indexes, doubtful)];
}

/** Of `dpdkvhostuser`, where the switch listens and the VMM connects, the socket is in the run directory under the port's name. */
const socketsOf = (iface: OvsInterface, directory: string): readonly string[] =>
  iface.type === 'dpdkvhostuser' ? [runPath(`${directory}/${iface.name}`)] : vhostSockets(iface).map(runPath);
