/** What the agent answers, as far as these tests look at it; contract in openapi.yaml. */
export interface InstanceSummary {
  readonly id: string;
  readonly name: string;
  readonly source: string;
  readonly hypervisor: string;
  readonly state: string;
  readonly pid: number | null;
  readonly started_at: string | null;
  readonly allocated: { readonly vcpus: number | null; readonly memory_bytes: number | null };
}

export interface InstanceDetail extends InstanceSummary {
  readonly uuid: string | null;
  readonly generation: number;
  readonly processes: readonly {
    readonly pid: number;
    readonly start_ticks: number;
    readonly executable: string | null;
    readonly uid: number | null;
  }[];
  readonly interfaces:
    | readonly { readonly kind: string; readonly name: string | null; readonly mac: string | null; readonly device: string | null }[]
    | null;
  readonly sockets: readonly string[];
}

/** An instance that is a Kata sandbox. */
export interface SandboxDetail extends Omit<InstanceDetail, 'processes'> {
  readonly processes: readonly { readonly role: string; readonly pid: number; readonly start_ticks: number }[];
  readonly sandbox: { readonly runtime: string | null; readonly vmm_in_shim: boolean | null } | null;
}

export interface InterfaceStats {
  readonly name: string | null;
  readonly outcome: string;
  readonly reason?: string;
  readonly rx_bytes: number | null;
  readonly tx_bytes: number | null;
  readonly rx_packets: number | null;
  readonly tx_packets: number | null;
  readonly rx_errors: number | null;
  readonly tx_errors: number | null;
  readonly rx_drops: number | null;
  readonly tx_drops: number | null;
  readonly rx_multicast: number | null;
  readonly generation: number | null;
  readonly mtu_bytes: number | null;
  readonly speed_bytes_per_second: number | null;
  readonly carrier: number | null;
  readonly carrier_changes: number | null;
  readonly queues: number | null;
  readonly operstate: string | null;
  readonly host_mac: string | null;
  readonly bridge: string | null;
}

export interface Stats {
  readonly instance_id: string;
  readonly instance_name: string;
  readonly cpu_seconds: number | null;
  readonly memory_rss_bytes: number | null;
  readonly memory_vms_bytes: number | null;
  readonly network_rx_bytes: number | null;
  readonly network_tx_bytes: number | null;
  readonly allocated_vcpus: number | null;
  readonly allocated_memory_bytes: number | null;
  readonly state: string;
  readonly generation: number;
  readonly cpu: { readonly user_seconds: number | null; readonly system_seconds: number | null };
  readonly network: { readonly interfaces: readonly InterfaceStats[] };
  readonly process: {
    readonly threads: number | null;
    readonly fds: number | null;
    readonly max_fds: number | null;
    readonly context_switches: { readonly voluntary: number | null };
    readonly io: { readonly rchar_bytes: number | null; readonly write_bytes: number | null };
  };
  readonly collectors: Readonly<Record<string, { readonly outcome: string; readonly reason?: string }>>;
}

/** Seconds of a vCPU's thread. */
export interface VcpuStats {
  readonly [name: string]: number | string | null;
}

export interface DiskStats {
  readonly device: string;
  readonly [name: string]: number | string | boolean | null;
}

/** What only the VMM tells, and what comes of asking it. A group is null as long as nothing of it is told: who looks into it then is told so. */
export interface VmmStats extends Stats {
  readonly vmm: {
    readonly state?: string | null;
    readonly version?: string | null;
    readonly question_seconds: number | null;
    readonly age_seconds: number | null;
    readonly last_success_timestamp_seconds: number | null;
    readonly failures: number | null;
    readonly connections: number | null;
    readonly questions: number | null;
    readonly connected_seconds: number | null;
  };
  readonly cpu: Stats['cpu'] & { readonly vcpus: readonly VcpuStats[] };
  readonly memory: {
    readonly guest: Readonly<Record<string, number | null>>;
    readonly balloon: Readonly<Record<string, number | null>>;
  };
  readonly disks: readonly DiskStats[];
  readonly events: Readonly<Record<string, number | null>>;
  readonly degraded: Readonly<Record<string, unknown>> & { readonly reasons: readonly string[] };
  readonly migration: Readonly<Record<string, number | string | null>>;
}
