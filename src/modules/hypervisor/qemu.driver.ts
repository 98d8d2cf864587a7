import { known } from '../../model/known.js';
import { mibToBytes } from '../../model/units.js';
import { type CommandLine, parseQemuWords, valuesOf } from './argv.js';
import { heldNics, heldVcpus } from './descriptors.js';
import type { Description, HypervisorDriver, ProcessEvidence } from './driver.js';
import { type DeclaredNic, joinTaps } from './nics.js';
import { runs } from './program.js';
import { parseProperties } from './properties.js';
import { identityOf } from './qemu-identity.js';
import { declaredNics, mentionsNetwork } from './qemu-nics.js';
import { givesMemorySize, hasDefaults, machineOf, memoryBytesOf, vcpusOf } from './qemu-shape.js';
import { qmpSockets } from './qemu-sockets.js';
import { parseSize } from './quantities.js';

/** `.qemu-system-*-wrapped` is how NixOS names the program behind its wrapper. */
const PROGRAMS = { exactly: ['qemu-kvm', 'kvm'], startingWith: ['qemu-system-', '.qemu-system-'] };
/** hw/core/machine.c; a few boards that are not PCs have more (pseries: 512). */
const DEFAULT_MEMORY_MIB = 128;
/** Machines that make no NIC unless told to. */
const BARE_MACHINES: ReadonlySet<string> = new Set(['none', 'microvm']);

/** QEMU, by its command line (qemu(1)). */
export const qemuDriver: HypervisorDriver = {
  name: 'qemu',
  claims: (evidence) => runs(evidence, PROGRAMS),
  describe,
};

function describe(evidence: ProcessEvidence): Description {
  const line = parseQemuWords(evidence.argv);
  const sockets = qmpSockets(line, evidence);
  return known<Description>({
    ...identityOf(line, sockets, evidence),
    vcpus: vcpusOf(line) ?? heldVcpus(evidence),
    memoryBytes: givesMemorySize(line) ? memoryBytesOf(line) : memoryWithoutSize(line),
    nics: line.complete ? joinTaps([...declaredNics(line, evidence), ...defaultNic(line)], evidence.taps) : heldNics(evidence),
    sockets: line.complete || sockets.length > 0 ? sockets : undefined,
  });
}

/** Bytes where -m is missing: the machine's memory backend, if it has one. */
function memoryWithoutSize(line: CommandLine): number | undefined {
  const backend = machineOf(line).get('memory-backend');
  if (backend === undefined) return hasDefaults(line) ? mibToBytes(DEFAULT_MEMORY_MIB) : undefined;
  const object = valuesOf(line, 'object')
    .map((value) => parseProperties(value, 'qom-type'))
    .find((properties) => properties.get('id') === backend && properties.get('qom-type')?.startsWith('memory-backend-'));
  return parseSize(object?.get('size'), 1);
}

/** QEMU gives most machines a NIC on its user-mode network when nothing is said of networks. */
function defaultNic(line: CommandLine): DeclaredNic[] {
  const asked = mentionsNetwork(line) || line.options.has('nodefaults');
  return asked || BARE_MACHINES.has(machineOf(line).get('type') ?? '') ? [] : [{ kind: 'user' }];
}
