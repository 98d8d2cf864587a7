/** What ovsdb-server holds of the switches of a host, as far as the house needs it (ovs-vswitchd.conf.db(5)). Every string is a stranger's. */
export interface OvsDatabase {
  /** `Open_vSwitch.ovs_version`. */
  readonly version: string | null;
  readonly bridges: readonly OvsBridge[];
}

export interface OvsBridge {
  readonly name: string;
  /** `system` (kernel) where it is empty, `netdev` (userspace). */
  readonly datapathType: string;
  /** OpenFlow versions that the bridge accepts, `OpenFlow10` …; empty means the default of its release. */
  readonly protocols: readonly string[];
  readonly ports: readonly OvsPort[];
}

/** Its name is that of a device in the network namespace of the switch; a port of another kind may be called the same. */
export const isKernelDevice = ({ type }: Pick<OvsInterface, 'type'>): boolean => type === '' || type === 'system';

export interface OvsPort {
  readonly name: string;
  /** VLAN of an access port, 0 to 4095. */
  readonly tag: number | null;
  readonly externalIds: ReadonlyMap<string, string>;
  /** One, or several for a bond. */
  readonly interfaces: readonly OvsInterface[];
}

export interface OvsInterface {
  readonly name: string;
  /** Empty for a device of the kernel; `internal`, `patch`, `geneve`, `dpdkvhostuserclient` … */
  readonly type: string;
  /** OpenFlow port number; null before the switch has given one, and where it could not (-1). */
  readonly ofPort: number | null;
  /** Of the device in the network namespace of the switch; null for none, or one that is gone (0). */
  readonly ifIndex: number | null;
  readonly mac: string | null;
  readonly linkState: 'up' | 'down' | null;
  /** Why the switch could not open it. */
  readonly error: string | null;
  readonly externalIds: ReadonlyMap<string, string>;
  readonly options: ReadonlyMap<string, string>;
}
