/**
 * Tables of what only the VMM tells apart. `vcpus`: named by their index. `disks` and `vnics`: by the VMM's own id of the device. `kvmExits`: by
 * what made the guest exit. `kvmEvents`: by what KVM counts besides. The others are not the VMM's. `switchPorts`: ports of a
 * virtual switch, by their name there. `cgroupDevices`: block devices that the cgroup of the VM used or is limited at, by their number.
 * `tracedProcesses`: processes of the instance that are traced, by their name; several may share one.
 */
export const PARTS = ['vcpus', 'disks', 'vnics', 'kvmExits', 'kvmEvents', 'switchPorts', 'cgroupDevices', 'tracedProcesses'] as const;
export type Part = (typeof PARTS)[number];
