import { isKernelDevice, type OvsBridge, type OvsInterface, type OvsPort } from './database.js';

/** An interface of a switch, with what is around it. */
export interface PortPlace {
  readonly bridge: OvsBridge;
  readonly port: OvsPort;
  readonly iface: OvsInterface;
}

/** What is known of an instance that a port could be known by. Words are in lower case. */
export interface Claim {
  /** Kernel devices that its process holds, in the network namespace of the switch. */
  readonly devices: readonly string[];
  /** Sockets over which it speaks vhost-user, absolute. */
  readonly sockets: readonly string[];
  /** UUID, instance id, sandbox id. */
  readonly ids: readonly string[];
  readonly macs: readonly string[];
}

/**
 * Why a port is an instance's, strongest first. `device` is the host's word: what the process holds. `socket` and `id` are the orchestrator's,
 * who wrote into the database what the port is for, against what whoever started the VMM told it: two words of a kind, which must not
 * contradict each other. `mac` is a resemblance, and good for nothing that anybody denies.
 */
export type Evidence = 'device' | 'socket' | 'id' | 'mac';

export interface Joined {
  readonly place: PortPlace;
  readonly evidence: Evidence;
}

export interface JoinRules {
  readonly socketsOf?: (iface: OvsInterface) => readonly string[];
  /** Addresses that one port of this host has and no other; of these places alone where it is missing. */
  readonly macs?: ReadonlySet<string>;
}

/** Keys of `external_ids` that name a machine: libvirt, OpenStack, OVN in Kubernetes, Antrea. */
const MACHINES = ['vm-id', 'vm-uuid', 'sandbox', 'container-id'] as const;
const MACS = ['attached-mac', 'attached_mac'] as const;

/**
 * Which instance each port is of. The strongest evidence that anybody has decides alone: two instances that both have it leave the port
 * nobody's, and weaker evidence for a third, or for one of the two, is not heard. So who only names himself like another one gets nothing of a
 * port that somebody really holds, and of one that nobody holds he can at most make the other lose it. Stops after each claim and each port, so
 * that the caller may pause: a thousand of both take 10 ms.
 */
export function* joinPorts<Owner>(
  places: readonly PortPlace[],
  claims: Iterable<readonly [Owner, Claim]>,
  { socketsOf = vhostSockets, macs }: JoinRules = {},
): Generator<void, ReadonlyMap<Owner, readonly Joined[]>> {
  const claimed = new Claimed<Owner>();
  for (const [owner, claim] of claims) {
    claimed.add(owner, claim);
    yield;
  }
  const sole = macs ?? (yield* soleMacs(places));
  const joined = new Map<Owner, Joined[]>();
  for (const place of places) {
    yield;
    const found = claimed.find(place, socketsOf(place.iface), sole);
    if (!found) continue;
    const own = joined.get(found.owner) ?? [];
    joined.set(found.owner, own);
    own.push({ place, evidence: found.evidence });
  }
  return joined;
}

/** Of a port of vhost-user: what the switch connects to (`dpdkvhostuserclient`). */
export function vhostSockets({ type, options }: OvsInterface): readonly string[] {
  const path = options.get('vhost-server-path');
  return type === 'dpdkvhostuserclient' && path !== undefined ? [path] : [];
}

/** What integrators wrote: most of them at the interface, Antrea at the port. */
export const externalId = ({ iface, port }: PortPlace, key: string): string | undefined =>
  iface.externalIds.get(key) ?? port.externalIds.get(key);

const wordsOf = (place: PortPlace, keys: readonly string[]): readonly string[] =>
  keys.flatMap((key) => externalId(place, key)?.toLowerCase() ?? []).filter((word) => word !== '');

/** Addresses that are told of one port only. Stops after each port. */
export function* soleMacs(places: readonly PortPlace[]): Generator<void, ReadonlySet<string>> {
  const counts = new Map<string, number>();
  for (const place of places) {
    for (const mac of new Set(wordsOf(place, MACS))) counts.set(mac, 1 + (counts.get(mac) ?? 0));
    yield;
  }
  return new Set([...counts].flatMap(([mac, count]) => (count === 1 ? [mac] : [])));
}

class Claimed<Owner> {
  private readonly devices = new Owners<Owner>();
  private readonly sockets = new Owners<Owner>();
  private readonly ids = new Owners<Owner>();
  private readonly macs = new Owners<Owner>();

  add(owner: Owner, { devices, sockets, ids, macs }: Claim): void {
    this.devices.add(owner, devices);
    this.sockets.add(owner, sockets);
    this.ids.add(owner, ids);
    this.macs.add(owner, macs);
  }

  find(
    place: PortPlace,
    sockets: readonly string[],
    macs: ReadonlySet<string>,
  ): { readonly owner: Owner; readonly evidence: Evidence } | undefined {
    const { iface } = place;
    const machines = wordsOf(place, MACHINES);
    const byDevice = isKernelDevice(iface) ? [iface.name] : [];
    // A port that is for a certain machine is no other one's, however alike their addresses are.
    const byMac = machines.length > 0 ? [] : wordsOf(place, MACS).filter((mac) => macs.has(mac));
    const bySocket = this.sockets.of(sockets);
    const told = new Set([...bySocket, ...this.ids.of(machines)]);
    const ladder = [
      ['device', this.devices.of(byDevice)],
      [bySocket.size > 0 ? 'socket' : 'id', told],
      ['mac', this.macs.of(byMac)],
    ] as const;
    const highest = ladder.find(([, owners]) => owners.size > 0);
    if (!highest) return undefined;
    const [evidence, owners] = highest;
    const [owner] = owners;
    return owners.size === 1 ? { owner, evidence } : undefined;
  }
}

/** Who says each word. */
class Owners<Owner> {
  private readonly byWord = new Map<string, Set<Owner>>();

  add(owner: Owner, words: readonly string[]): void {
    for (const word of words) this.byWord.set(word, (this.byWord.get(word) ?? new Set()).add(owner));
  }

  of(words: readonly string[]): ReadonlySet<Owner> {
    const [first] = words;
    if (words.length === 1) return this.byWord.get(first) ?? new Set();
    return new Set(words.flatMap((word) => [...(this.byWord.get(word) ?? [])]));
  }
}
