import { known } from '../../model/known.js';
import { parseQemuWords } from './argv.js';
import { heldNics, heldVcpus } from './descriptors.js';
import type { Description, HypervisorDriver, ProcessEvidence } from './driver.js';
import { joinTaps } from './nics.js';
import { runs } from './program.js';
import { identityOf } from './qemu-identity.js';
import { declaredNics } from './qemu-nics.js';
import { memoryBytesOf, vcpusOf } from './qemu-shape.js';
import { qmpSockets } from './qemu-sockets.js';

/** StratoVirt, which took over QEMU's command line but neither its default NIC nor its default memory (128 or 256 MiB by version). */
export const stratovirtDriver: HypervisorDriver = {
  name: 'stratovirt',
  claims: (evidence) => runs(evidence, { startingWith: ['stratovirt'] }),
  describe,
};

function describe(evidence: ProcessEvidence): Description {
  const line = parseQemuWords(evidence.argv);
  const sockets = qmpSockets(line, evidence);
  return known<Description>({
    ...identityOf(line, sockets, evidence),
    vcpus: vcpusOf(line) ?? heldVcpus(evidence),
    memoryBytes: memoryBytesOf(line),
    nics: line.complete ? joinTaps(declaredNics(line, evidence), evidence.taps) : heldNics(evidence),
    sockets: line.complete || sockets.length > 0 ? sockets : undefined,
  });
}
