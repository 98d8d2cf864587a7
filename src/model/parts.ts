/**
 * Tables of what only the VMM tells apart. `vcpus`: named by their index. `disks` and `vnics`: by the VMM's own id of the device. `kvmExits`: by
 * what made the guest exit. `kvmEvents`: by what KVM counts besides.
 */
export const PARTS = ['vcpus', 'disks', 'vnics', 'kvmExits', 'kvmEvents'] as const;
export type Part = (typeof PARTS)[number];
