import { ID_PATTERN } from '../../model/instance.js';
import { lastValueOf, parseLongWords } from './argv.js';
import { heldNics, heldVcpus } from './descriptors.js';
import type { Description, HypervisorDriver, ProcessEvidence } from './driver.js';
import { known } from './known.js';

/** Kata's shims, `-v2` for containerd's protocol; an operator may have one per runtime class (`containerd-shim-kata-fc-v2`). */
const SHIM = /(?:^|\/)containerd-shim-kata(?:-[\w.]+)*-v2$/;

/** Dragonball, which runs as threads of Kata's shim: a shim that holds a kvm-vm is the VMM of its sandbox. */
export const dragonballDriver: HypervisorDriver = {
  name: 'dragonball',
  // Shims with a VMM of their own beside them hold no kvm-vm.
  claims: ({ executable, argv, kvmVms }) => kvmVms > 0 && SHIM.test(executable ?? argv[0] ?? ''),
  describe,
};

function describe(evidence: ProcessEvidence): Description {
  const id = lastValueOf(parseLongWords(evidence.argv), 'id');
  return known<Description>({
    id: id !== undefined && ID_PATTERN.test(id) ? id : undefined,
    vcpus: heldVcpus(evidence),
    nics: heldNics(evidence),
  });
}
