import { known } from '../../model/known.js';
import { mibToBytes } from '../../model/units.js';
import { type CommandLine, hasAny, lastValueOf, parseLongWords, valuesOf } from './argv.js';
import { heldNics, heldVcpus } from './descriptors.js';
import type { Description, HypervisorDriver, ProcessEvidence } from './driver.js';
import { identify } from './id-rules.js';
import { type DeclaredNic, joinTaps, parseMac, passthroughNic } from './nics.js';
import { runs } from './program.js';
import { type Properties, parseBracketedProperties } from './properties.js';
import { parseCount, parseDescriptor, parseSize } from './quantities.js';

/** vmm/src/vm_config.rs: DEFAULT_VCPUS, DEFAULT_MEMORY_MB. */
const DEFAULT_VCPUS = '1';
const DEFAULT_MEMORY_BYTES = mibToBytes(512);
/** Options that describe a VM; a process started with none of them, or to restore one, gets its VM by API. */
const VM_OPTIONS = ['kernel', 'firmware', 'igvm', 'cpus', 'memory', 'memory-zone', 'disk', 'net', 'device'];

/** Cloud Hypervisor, by its command line (`cloud-hypervisor --help`). */
export const cloudHypervisorDriver: HypervisorDriver = {
  name: 'cloud-hypervisor',
  claims: (evidence) => runs(evidence, { startingWith: ['cloud-hypervisor'] }),
  describe,
};

function describe(evidence: ProcessEvidence): Description {
  const line = parseLongWords(evidence.argv);
  const sockets = apiSockets(line, evidence);
  const described = hasAny(line, VM_OPTIONS) && !line.options.has('restore') && line.complete;
  return known<Description>({
    ...identify({ paths: sockets, cgroups: evidence.cgroups }),
    vcpus: (described ? parseCount(vcpuText(line)) : undefined) ?? heldVcpus(evidence),
    memoryBytes: described ? memoryBytesOf(line) : undefined,
    nics: described ? joinTaps(declaredNics(line, evidence), evidence.taps) : heldNics(evidence),
    sockets: line.complete || sockets.length > 0 ? sockets : undefined,
  });
}

/** `P`, `path=P` or `fd=N`. */
function apiSockets(line: CommandLine, { listening }: ProcessEvidence): readonly string[] {
  const socket = parseBracketedProperties(lastValueOf(line, 'api-socket') ?? '', 'path');
  const descriptor = parseDescriptor(socket.get('fd'));
  const path = descriptor === undefined ? socket.get('path') : listening.get(descriptor);
  return path === undefined ? [] : [path];
}

function vcpuText(line: CommandLine): string {
  const text = lastValueOf(line, 'cpus');
  return text === undefined ? DEFAULT_VCPUS : (parseBracketedProperties(text, 'boot').get('boot') ?? DEFAULT_VCPUS);
}

/** Bytes with what is hot-plugged from the start; of all zones where there are any, which --memory then announces by size=0. */
function memoryBytesOf(line: CommandLine): number | undefined {
  const zones = valuesOf(line, 'memory-zone');
  if (zones.length > 0) return sum(zones.map((zone) => sizeWithHotplugged(parseBracketedProperties(zone, 'id'))));
  const memory = lastValueOf(line, 'memory');
  return memory === undefined ? DEFAULT_MEMORY_BYTES : sizeWithHotplugged(parseBracketedProperties(memory, 'size'));
}

function sizeWithHotplugged(memory: Properties): number | undefined {
  const size = memory.get('size');
  const base = size === undefined ? DEFAULT_MEMORY_BYTES : parseSize(size, 1);
  const hotplugged = memory.get('hotplugged_size');
  return hotplugged === undefined || hotplugged === '0' ? base : sum([base, parseSize(hotplugged, 1)]);
}

const sum = (sizes: readonly (number | undefined)[]): number | undefined =>
  sizes.reduce((total, size) => (total === undefined || size === undefined ? undefined : total + size), 0);

function declaredNics(line: CommandLine, evidence: ProcessEvidence): readonly DeclaredNic[] {
  const parse = (value: string): Properties => parseBracketedProperties(value, 'path');
  return [
    ...valuesOf(line, 'net').map((value) => netNic(parse(value))),
    // What a vDPA device is cannot be told from its path; most are network devices.
    ...valuesOf(line, 'vdpa').map((value) => known<DeclaredNic>({ kind: 'vdpa', device: parse(value).get('id') })),
    ...valuesOf(line, 'device').flatMap((value) => {
      const device = parse(value);
      return passthroughNic(device.get('path'), device.get('id'), evidence);
    }),
  ];
}

function netNic(net: Properties): DeclaredNic {
  const descriptors = (net.get('fd') ?? '')
    .replace(/^\[|\]$/g, '')
    .split(',')
    .flatMap((fd) => parseDescriptor(fd.trim()) ?? []);
  const isVhostUser = net.get('vhost_user') === 'true' || net.get('vhost_user') === 'on';
  return known<DeclaredNic>({
    kind: isVhostUser ? 'vhost-user' : 'tap',
    socket: isVhostUser ? net.get('socket') : undefined,
    mac: parseMac(net.get('mac')),
    device: net.get('id'),
    interfaceName: net.get('tap'),
    descriptors,
    // One queue each way makes one pair, and one descriptor.
    queues: Math.ceil((parseCount(net.get('num_queues')) ?? 2) / 2),
  });
}
