import type { Nic, NicKind } from '../../model/instance.js';
import { known } from '../../model/known.js';
import type { ProcessEvidence, TapDescriptor } from './driver.js';

/** A NIC as the VMM was told to make it. */
export interface DeclaredNic {
  readonly kind: NicKind;
  readonly mac?: string;
  readonly device?: string;
  /** Interface to join it with. It is never given out: argv may name any interface, and a renamed one has another name by now. */
  readonly interfaceName?: string;
  /** Descriptors of its queues, where it was handed open ones. */
  readonly descriptors?: readonly number[];
  readonly queues?: number;
  /** Of a vhost-user NIC. */
  readonly socket?: string;
}

/**
 * Declared NICs in their order, each tap with the interface that the process holds for it; then interfaces held but declared nowhere, such
 * as hot-plugged ones. A tap with no descriptor, or with one of a deleted device, stays without name: it has nothing that could be counted.
 */
export function joinTaps(declared: readonly DeclaredNic[], taps: readonly TapDescriptor[]): readonly Nic[] {
  const held = new HeldInterfaces(taps);
  const joined = new Map<DeclaredNic, HeldInterface>();
  // Sure matches of all NICs come before the guesses of any.
  for (const take of [takeByDescriptor, takeByName, takeNext]) {
    for (const nic of declared) {
      if (nic.kind !== 'tap' || joined.has(nic)) continue;
      const match = take(held, nic);
      if (match) joined.set(nic, match);
    }
  }
  return [
    ...declared.map((nic) => {
      const { kind, name } = joined.get(nic) ?? { kind: nic.kind, name: undefined };
      return known<Nic>({ kind, name, mac: nic.mac, device: nic.device, socket: nic.socket });
    }),
    ...Array.from(held.free, ({ kind, name }) => known<Nic>({ kind, name })),
  ];
}

/** Domain (may be left out), bus, slot and function. Other devices of VFIO, such as mediated ones, have no address of their own. */
const PCI_ADDRESS = /^(?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/i;

/**
 * A host PCI device given to the guest, if it is a network controller (PCI class 02) or may be one.
 * @param address `0000:3b:00.1`, `3b:00.1`, or a sysfs path that ends in one
 */
export function passthroughNic(address: string | undefined, device: string | undefined, evidence: ProcessEvidence): DeclaredNic[] {
  const last = address?.replace(/\/$/, '').split('/').at(-1) ?? '';
  if (!PCI_ADDRESS.test(last)) return [];
  const pciClass = evidence.pciClass(last);
  return pciClass === undefined || pciClass.startsWith('0x02') ? [known<DeclaredNic>({ kind: 'passthrough', device })] : [];
}

/** `52-54-00-AA-BB-01` → `52:54:00:aa:bb:01`; undefined for anything but six bytes. */
export function parseMac(text: string | undefined): string | undefined {
  const mac = text?.replaceAll('-', ':').toLowerCase();
  return mac !== undefined && /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/.test(mac) ? mac : undefined;
}

/** One interface with all its queues; of a nameless one every queue is an interface. */
type HeldInterface = Pick<TapDescriptor, 'kind' | 'name'>;

class HeldInterfaces {
  readonly byDescriptor = new Map<number, HeldInterface>();
  readonly byName = new Map<string, HeldInterface>();
  /** Not joined yet, in the order of their descriptors: VMMs open NICs in the order of their declaration. */
  readonly free = new Set<HeldInterface>();

  constructor(taps: readonly TapDescriptor[]) {
    for (const tap of taps.toSorted((a, b) => a.fd - b.fd)) {
      const held = this.byName.get(tap.name ?? '') ?? tap;
      if (tap.name !== undefined) this.byName.set(tap.name, held);
      this.byDescriptor.set(tap.fd, held);
      this.free.add(held);
    }
  }

  take(held: HeldInterface | undefined): HeldInterface | undefined {
    return held && this.free.delete(held) ? held : undefined;
  }
}

function takeByDescriptor(held: HeldInterfaces, { descriptors = [] }: DeclaredNic): HeldInterface | undefined {
  const taken = descriptors.flatMap((descriptor) => held.take(held.byDescriptor.get(descriptor)) ?? []);
  const chosen = taken.find(({ name }) => name !== undefined) ?? taken[0];
  // Queues of one NIC are of one interface: another one among them is a NIC that nobody declared.
  for (const other of taken) if (other !== chosen && other.name !== undefined) held.free.add(other);
  return chosen;
}

const takeByName = (held: HeldInterfaces, { interfaceName = '' }: DeclaredNic): HeldInterface | undefined =>
  held.take(held.byName.get(interfaceName));

/** The next one, for an interface that the VMM made itself or that was renamed. Of a deleted device all queues are taken. */
function takeNext(held: HeldInterfaces, { queues = 1 }: DeclaredNic): HeldInterface | undefined {
  const [first] = held.free;
  if (!held.take(first) || first.name !== undefined) return first;
  let more = queues - 1;
  for (const next of held.free) {
    if (more-- <= 0 || next.name !== undefined) break;
    held.free.delete(next);
  }
  return first;
}
