import { ID_PATTERN } from '../../model/instance.js';
import { known } from '../../model/known.js';
import { lastValueOf, parseLongWords } from './argv.js';
import { heldNics, heldVcpus } from './descriptors.js';
import type { Description, HypervisorDriver, ProcessEvidence } from './driver.js';
import { KATA_SHIM } from './program.js';

/** Dragonball, which runs as threads of Kata's shim: a shim that holds a kvm-vm is the VMM of its sandbox. */
export const dragonballDriver: HypervisorDriver = {
  name: 'dragonball',
  // Shims with a VMM of their own beside them hold no kvm-vm.
  claims: ({ executable, argv, kvmVms }) => kvmVms > 0 && KATA_SHIM.test(executable ?? argv[0] ?? ''),
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
