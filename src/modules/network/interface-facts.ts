import type { Host } from '../../host/host.js';

/** `operstate` in sysfs, in the order of the kernel's IF_OPER_* (RFC 2863, net/core/net-sysfs.c). */
export const OPERSTATES = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'] as const;

const STATE_WORDS: readonly string[] = OPERSTATES;

/** What sysfs says of a network device besides its counters; NaN or missing where it does not say. */
export interface InterfaceFacts {
  readonly index: number;
  readonly mtuBytes: number;
  /** Nominal: a tap's and a veth's 10 Gbit/s is a constant of the driver. */
  readonly speedBytesPerSecond: number;
  /** 1 or 0; NaN for one that is down by its administrator, of which the kernel does not say it. */
  readonly carrier: number;
  readonly carrierChanges: number;
  /** Receive queues in use. */
  readonly queues: number;
  /** Place in `OPERSTATES`. */
  readonly operstate: number;
  readonly hostMac?: string;
  /** The Linux bridge that it is a port of. */
  readonly bridge?: string;
}

/** IFNAMSIZ less the closing NUL. */
const NAME_BYTES = 15;
/** Mbit/s, as sysfs has it. */
const MEGABIT_BYTES = 125_000;
/** What a driver says that does not know: SPEED_UNKNOWN, which older kernels print without its sign. */
const NO_SPEED = 2 ** 32 - 1;
const text = Buffer.allocUnsafeSlow(64);

/** Whether the kernel could have a device of this name (dev_valid_name). Asked before it becomes part of a path. */
export const isInterfaceName = (name: string): boolean =>
  name !== '' && name !== '.' && name !== '..' && !/[/:\0 \t\n]/.test(name) && Buffer.byteLength(name) <= NAME_BYTES;

/**
 * Of a device in the namespace that sysfs shows: that of whoever mounted it, which is the host's. Costs some 60 µs.
 * @throws ENOENT for a device that is not there, EACCES
 */
export function readFacts(host: Host, name: string): InterfaceFacts {
  const at = (...entry: string[]): string => host.sys('class', 'net', name, ...entry);
  const length = host.readInto(at('ifindex'), text);
  const index = numberOf(text.toString('latin1', 0, length));
  const told = (entry: string): string => tryRead(host, at(entry));
  const carrier = numberOf(told('carrier'));
  const speed = carrier === 1 ? numberOf(told('speed')) : Number.NaN;
  const operstate = STATE_WORDS.indexOf(told('operstate').trim());
  const mac = told('address').trim();
  const bridge = host.exists(at('brport')) ? host.tryLink(at('master'))?.split('/').at(-1) : undefined;
  return {
    index,
    mtuBytes: numberOf(told('mtu')),
    speedBytesPerSecond: speed === NO_SPEED ? Number.NaN : speed * MEGABIT_BYTES,
    carrier: carrier <= 1 ? carrier : Number.NaN,
    carrierChanges: numberOf(told('carrier_changes')),
    queues: queuesAt(host, at('queues')),
    operstate: operstate < 0 ? Number.NaN : operstate,
    ...(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/.test(mac) ? { hostMac: mac } : {}),
    ...(bridge !== undefined && isInterfaceName(bridge) ? { bridge } : {}),
  };
}

/** The empty text where it is refused: `carrier` and `speed` of a device that is down are EINVAL. */
function tryRead(host: Host, path: string): string {
  try {
    return text.toString('latin1', 0, host.readInto(path, text));
  } catch {
    return '';
  }
}

const numberOf = (told: string): number => (/^\d{1,15}\n$/.test(told) ? Number(told) : Number.NaN);

function queuesAt(host: Host, path: string): number {
  try {
    const queues = host.list(path).filter((entry) => /^rx-\d+$/.test(entry)).length;
    return queues === 0 ? Number.NaN : queues;
  } catch {
    return Number.NaN;
  }
}
