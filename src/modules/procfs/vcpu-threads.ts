/**
 * What the VMMs call the threads of their vCPUs, by the VMM's own sources: QEMU (with debug-threads, which libvirt sets) and StratoVirt
 * `CPU n/KVM`, QEMU's emulator `CPU n/TCG` or one `ALL CPUs/TCG`, Cloud Hypervisor `vcpu<n>`, Firecracker `fc_vcpu <n>`, Dragonball
 * `db_vcpu<n>`.
 */
const VCPU = /^(?:CPU (\d+)\/\w+|ALL CPUs\/TCG|(?:fc_vcpu |db_vcpu|vcpu)(\d+))$/;
/** Of a number as VMMs print it; KVM itself counts to 2^14 (KVM_MAX_VCPU_IDS). */
const INDEX = /^(0|[1-9]\d{0,4})$/;

/** Whether a thread with this name runs vCPUs, one or all. */
export const isVcpuName = (name: string): boolean => VCPU.test(name);

/** The VMM's number of the vCPU that a thread with this name runs; null for one that runs none, or all. */
export function vcpuIndexOf(name: string): number | null {
  const match = VCPU.exec(name);
  const digits = match?.[1] ?? match?.[2];
  return digits !== undefined && INDEX.test(digits) ? Number(digits) : null;
}
