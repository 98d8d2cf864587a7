import { cloudHypervisorDriver } from './cloud-hypervisor.driver.js';
import { dragonballDriver } from './dragonball.driver.js';
import type { HypervisorDriver } from './driver.js';
import { firecrackerDriver } from './firecracker.driver.js';
import { kvmDriver } from './kvm.driver.js';
import { qemuDriver } from './qemu.driver.js';
import { stratovirtDriver } from './stratovirt.driver.js';

/** THE LIST of hypervisors. The first that claims a process describes it: the most special first, `kvm` takes what is left. */
export const DRIVERS: readonly HypervisorDriver[] = [
  dragonballDriver,
  firecrackerDriver,
  cloudHypervisorDriver,
  stratovirtDriver,
  qemuDriver,
  kvmDriver,
];
