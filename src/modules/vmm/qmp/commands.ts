/** Questions without arguments. */
const READS = [
  ...['query-status', 'query-cpus-fast', 'query-memory-size-summary', 'query-balloon', 'query-blockstats', 'query-block'],
  ...['query-stats-schemas', 'query-migrate'],
  // StratoVirt's only; QEMU dropped it in 6.0, because there it interrupted every vCPU.
  'query-cpus',
] as const;
type Read = (typeof READS)[number];

/** Where devices hang that were made by `-device` or `device_add`, with an id and without. */
export const DEVICE_ROOTS = ['/machine/peripheral', '/machine/peripheral-anon'] as const;
const GUEST_STATS = 'guest-stats';
const POLLING = 'guest-stats-polling-interval';
const PROPERTIES: readonly string[] = [GUEST_STATS, POLLING];
const TARGETS: readonly string[] = ['vm', 'vcpu'];

/** Every command that exists for us, with all it may carry. Nothing else can be written down, and `encode` lets nothing else out. */
export type Command =
  | { readonly execute: 'qmp_capabilities' | Read }
  | { readonly execute: 'qom-list'; readonly arguments: { readonly path: (typeof DEVICE_ROOTS)[number] } }
  | { readonly execute: 'qom-get'; readonly arguments: { readonly path: string; readonly property: typeof GUEST_STATS | typeof POLLING } }
  | { readonly execute: 'query-stats'; readonly arguments: StatsQuery }
  | {
      readonly execute: 'qom-set';
      readonly arguments: { readonly path: string; readonly property: typeof POLLING; readonly value: number };
    };

interface StatsQuery {
  readonly target: 'vm' | 'vcpu';
  readonly providers: readonly { readonly provider: 'kvm'; readonly names: readonly string[] }[];
}

/** What changes a VM and is allowed nevertheless, by the operator's word. */
export interface Rights {
  /** QEMU may be told how often to ask its balloon driver for guest memory. */
  readonly balloonPolling: boolean;
}

/**
 * The only way onto a wire: a command as a line, without its end. It is looked at as if it had no type, because what it forbids is what must
 * never happen.
 * @throws Error for a command that is on no list
 */
export function encode(command: Command, id: string, rights: Rights): string {
  if (!isAllowed(command, rights)) throw new Error(`the command ${JSON.stringify(command).slice(0, 200)} must never be sent`);
  return JSON.stringify({ ...command, id });
}

function isAllowed(command: Command, { balloonPolling }: Rights): boolean {
  if (Object.keys(command).some((member) => member !== 'execute' && member !== 'arguments')) return false;
  switch (command.execute) {
    case 'qom-list':
      return isOnly(command.arguments, ['path']) && DEVICE_ROOTS.includes(command.arguments.path);
    case 'qom-get':
      return (
        isOnly(command.arguments, ['path', 'property']) &&
        isDevice(command.arguments.path) &&
        PROPERTIES.includes(command.arguments.property)
      );
    case 'qom-set':
      return balloonPolling && isPolling(command.arguments);
    case 'query-stats':
      return isOnly(command.arguments, ['target', 'providers']) && TARGETS.includes(command.arguments.target);
    default:
      return !('arguments' in command) && (command.execute === 'qmp_capabilities' || READS.includes(command.execute));
  }
}

const isOnly = (members: object, names: readonly string[]): boolean => Object.keys(members).every((name) => names.includes(name));

const isDevice = (path: string): boolean => DEVICE_ROOTS.some((root) => path.startsWith(`${root}/`)) && !path.split('/').includes('..');

function isPolling(args: Extract<Command, { execute: 'qom-set' }>['arguments']): boolean {
  const isWhole = Number.isSafeInteger(args.value) && args.value > 0;
  return isOnly(args, ['path', 'property', 'value']) && isDevice(args.path) && args.property === POLLING && isWhole;
}
