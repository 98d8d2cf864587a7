/**
 * Where distributions, Kata, hypeman, LXD and Incus install VMMs, as /proc/<pid>/exe shows them: links resolved, and for a process in a
 * mount namespace of its own the path inside it. Only paths that root alone can write, so not the Nix store, into which any Nix user builds.
 * Trap: who may create user namespaces can show any path. It wins them one more row, for a process of their own.
 */
export const VMM_EXECUTABLES: readonly string[] = Object.freeze([
  // Debian, Ubuntu, Fedora, Arch, openSUSE; Proxmox and old releases name it kvm.
  '/usr/bin/qemu-system-*',
  '/usr/bin/qemu-kvm',
  '/usr/bin/kvm',
  // RHEL and its kin, also inside KubeVirt's virt-launcher.
  '/usr/libexec/qemu-kvm',
  '/usr/local/bin/qemu-system-*',
  '/usr/bin/cloud-hypervisor*',
  '/usr/local/bin/cloud-hypervisor*',
  // Binaries that hypeman unpacks, lib/paths/paths.go: <data>/system/binaries/<version>/<arch>/.
  '/var/lib/hypeman/system/binaries/*/*/cloud-hypervisor*',
  '/usr/bin/firecracker*',
  '/usr/local/bin/firecracker*',
  // Firecracker's jailer pivots into <base>/<exec file>/<id>/root and starts the copy there; without pivot_root the whole path shows.
  '/firecracker*',
  '/srv/jailer/firecracker*/*/root/firecracker*',
  '/usr/bin/stratovirt*',
  '/usr/local/bin/stratovirt*',
  // kata-deploy. Not bin/*: the shims and kata-monitor stand beside the VMMs.
  '/opt/kata/bin/qemu-system-*',
  '/opt/kata/bin/cloud-hypervisor*',
  '/opt/kata/bin/firecracker*',
  '/opt/kata/bin/stratovirt*',
  '/opt/incus/bin/qemu-system-*',
  '/snap/lxd/*/bin/qemu-system-*',
]);
