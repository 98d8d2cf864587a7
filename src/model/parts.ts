/**
 * Tables of what only the VMM tells apart. `vcpus`: named by their index. `disks` and `vnics`: by the VMM's own id of the device. `kvmExits`: by
 * what made the guest exit. `kvmEvents`: by what KVM counts besides. `switchPorts` alone are not the VMM's: ports of a virtual switch, by their
 * name there.
 */
export const PARTS = ['vcpus', 'disks', 'vnics', 'kvmExits', 'kvmEvents', 'switchPorts'] as const;
export type Part = (typeof PARTS)[number];
