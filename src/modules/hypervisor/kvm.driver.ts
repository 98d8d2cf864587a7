import { known } from '../../model/known.js';
import { heldNics, heldVcpus } from './descriptors.js';
import type { HypervisorDriver } from './driver.js';

/** Any other process with a KVM guest (crosvm, kvmtool, a VMM of one's own): what its descriptors tell, and no more. */
export const kvmDriver: HypervisorDriver = {
  name: 'kvm',
  claims: ({ kvmVms }) => kvmVms > 0,
  describe: (evidence) => known({ vcpus: heldVcpus(evidence), nics: heldNics(evidence) }),
};
