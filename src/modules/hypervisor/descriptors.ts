import type { Nic } from '../../model/instance.js';
import type { ProcessEvidence } from './driver.js';
import { joinTaps } from './nics.js';

/** For a VMM that gets its devices by API: the interfaces it holds; undefined where it holds none, as it may have others. */
export const heldNics = ({ taps }: ProcessEvidence): readonly Nic[] | undefined => (taps.length > 0 ? joinTaps([], taps) : undefined);

/** vCPUs that KVM made for the process; undefined under emulation and before the VM is configured. */
export const heldVcpus = ({ kvmVcpus }: ProcessEvidence): number | undefined => (kvmVcpus > 0 ? kvmVcpus : undefined);
