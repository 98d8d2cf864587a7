import type { ProcessEvidence, TapDescriptor } from '../../src/modules/hypervisor/driver.js';

/** Evidence of a process that shows nothing but what the spec gives it. */
export const evidenceOf = (given: Partial<ProcessEvidence> = {}): ProcessEvidence => ({
  pid: 4242,
  startTicks: 1,
  comm: 'x',
  argv: [],
  kvmVms: 0,
  kvmVcpus: 0,
  taps: [],
  listening: new Map(),
  cgroups: [],
  readFile: () => undefined,
  pciClass: () => undefined,
  ...given,
});

export const tap = (fd: number, name?: string): TapDescriptor => ({ fd, kind: 'tap', ...(name === undefined ? {} : { name }) });
