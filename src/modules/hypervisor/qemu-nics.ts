import type { NicKind } from '../../model/instance.js';
import { known } from '../../model/known.js';
import { type CommandLine, hasAny, valuesOf } from './argv.js';
import type { ProcessEvidence } from './driver.js';
import { type DeclaredNic, parseMac, passthroughNic } from './nics.js';
import { type Properties, parseProperties } from './properties.js';
import { parseCount, parseDescriptor } from './quantities.js';

/** Backends of -netdev, -nic and -net (qapi/net.json). Others exist and are `other`; `bridge` has a helper hand over a tap. */
const KINDS: Readonly<Record<string, NicKind>> = {
  tap: 'tap',
  bridge: 'tap',
  user: 'user',
  passt: 'user',
  'vhost-user': 'vhost-user',
  'vhost-vdpa': 'vdpa',
  socket: 'socket',
  stream: 'socket',
  dgram: 'socket',
};
/** Types that carry no frames of their own. */
const NO_BACKENDS: ReadonlySet<string> = new Set(['none', 'nic', 'hubport', 'dump']);

/** NICs in the order in which QEMU makes them (net/net.c), then PCI devices of the host. */
export function declaredNics(line: CommandLine, evidence: ProcessEvidence): readonly DeclaredNic[] {
  const devices = valuesOf(line, 'device').map((value) => parseProperties(value, 'driver'));
  const old = valuesOf(line, 'net').map((value) => parseProperties(value, 'type'));
  const given: Given = { macs: macsByBackend([...devices, ...old]), sockets: socketsByChardev(line) };
  return [
    ...valuesOf(line, 'netdev').flatMap((value) => backend(parseProperties(value, 'type'), given)),
    ...valuesOf(line, 'nic').flatMap((value) => backend(parseProperties(value, 'type'), given)),
    ...oldBackends(old, given),
    ...devices.flatMap((device) => passthrough(device, evidence)),
  ];
}

/** Whether the command line says anything of networks; where it does not, QEMU makes a NIC of its own. */
export const mentionsNetwork = (line: CommandLine): boolean => hasAny(line, ['netdev', 'nic', 'net']);

/** What other words of the command line say of backends. */
interface Given {
  /** By the id of the backend. */
  readonly macs: ReadonlyMap<string, string>;
  /** By the id of the chardev. */
  readonly sockets: ReadonlyMap<string, string>;
}

function socketsByChardev(line: CommandLine): ReadonlyMap<string, string> {
  const sockets = new Map<string, string>();
  for (const value of valuesOf(line, 'chardev')) {
    const chardev = parseProperties(value, 'backend');
    const [id, path] = [chardev.get('id'), chardev.get('path')];
    if (chardev.get('backend') === 'socket' && id !== undefined && path !== undefined) sockets.set(id, path);
  }
  return sockets;
}

function macsByBackend(frontends: readonly Properties[]): ReadonlyMap<string, string> {
  const macs = new Map<string, string>();
  for (const frontend of frontends) {
    const id = frontend.get('netdev');
    const mac = parseMac(frontend.get('mac') ?? frontend.get('macaddr'));
    if (id !== undefined && mac !== undefined) macs.set(id, mac);
  }
  return macs;
}

function backend(properties: Properties, { macs, sockets }: Given): DeclaredNic[] {
  const type = properties.get('type');
  if (type === undefined || NO_BACKENDS.has(type)) return [];
  const device = properties.get('id');
  const descriptors = [properties.get('fd'), ...(properties.get('fds')?.split(':') ?? [])].flatMap((fd) => parseDescriptor(fd) ?? []);
  return [
    known<DeclaredNic>({
      kind: Object.hasOwn(KINDS, type) ? KINDS[type] : 'other',
      mac: parseMac(properties.get('mac')) ?? macs.get(device ?? ''),
      device,
      interfaceName: properties.get('ifname'),
      descriptors,
      queues: parseCount(properties.get('queues')) ?? descriptors.length,
      socket: type === 'vhost-user' ? sockets.get(properties.get('chardev') ?? '') : undefined,
    }),
  ];
}

/** -net nic and -net tap meet on one hub: which MAC belongs to which backend is known only while there is one of each. */
function oldBackends(old: readonly Properties[], given: Given): readonly DeclaredNic[] {
  const backends = old.flatMap((properties) => backend(properties, given));
  const frontends = old.filter((properties) => properties.get('type') === 'nic' && !properties.has('netdev'));
  const mac = frontends.length === 1 ? parseMac(frontends[0].get('macaddr')) : undefined;
  return backends.length === 1 ? [known({ mac, ...backends[0] })] : backends;
}

function passthrough(device: Properties, evidence: ProcessEvidence): DeclaredNic[] {
  if (device.get('driver') !== 'vfio-pci') return [];
  return passthroughNic(device.get('host') ?? device.get('sysfsdev'), device.get('id'), evidence);
}
