import { known } from '../../model/known.js';
import type { AllocatedMemory, Balloon, VmmState } from './answer.js';
import { countOf, type Fields, fieldsIn, fieldsOf, parseFields, textOf } from './json-fields.js';

/** What Cloud Hypervisor tells of a VM's configuration: vmm/src/api/openapi/cloud-hypervisor.yaml, VmInfo. Unknown members are passed over. */

/** What one VM may have of a kind. */
const MAX_DEVICES = 512;
const WORD_LIMIT = 64;
const PATH_LIMIT = 4096;
const VERSION_LIMIT = 40;

export interface VmInfo {
  readonly state: VmmState;
  readonly memory: AllocatedMemory;
  /** Missing for a VM without a balloon. */
  readonly balloon?: Balloon;
  readonly disks: readonly ConfiguredDisk[];
  /** Whether the guest has a device to say that it panics. */
  readonly hasPanicDevice: boolean;
}

export interface ConfiguredDisk {
  /** As `vm.counters` names it: `_disk0` where nobody chose one. */
  readonly device: string;
  readonly file?: string;
  readonly format?: string;
  readonly readOnly?: boolean;
  readonly bytesPerSecond?: number;
  readonly operationsPerSecond?: number;
}

/** vmm/src/vm.rs, VmState. A VM at a breakpoint stands still. */
const STATES: Readonly<Record<string, VmmState>> = {
  Created: { word: 'created', state: 'created' },
  Running: { word: 'running', state: 'running' },
  Shutdown: { word: 'shutdown', state: 'shutdown' },
  Paused: { word: 'paused', state: 'paused' },
  BreakPoint: { word: 'breakpoint', state: 'paused' },
};
const OTHER: VmmState = { word: 'other', state: 'unknown' };

/** Of `vmm.ping`: `Cloud Hypervisor v54.0.0`. */
export function parsePing(text: string): string | undefined {
  const ping = parseFields(text);
  const version = textOf(ping?.version, VERSION_LIMIT) ?? textOf(ping?.build_version, VERSION_LIMIT);
  return version === undefined ? undefined : `Cloud Hypervisor ${version}`;
}

/** Of `vm.info`. undefined for what has no state: no answer of this API. */
export function parseInfo(text: string): VmInfo | undefined {
  const info = parseFields(text);
  const word = textOf(info?.state, WORD_LIMIT);
  if (!info || word === undefined) return undefined;
  const config = fieldsOf(info.config);
  const memory = memoryOf(fieldsOf(config?.memory));
  return known<VmInfo>({
    state: Object.hasOwn(STATES, word) ? STATES[word] : OTHER,
    memory,
    balloon: balloonOf(fieldsOf(config?.balloon), memory, countOf(info.memory_actual_size)),
    disks: disksOf(config),
    hasPanicDevice: config?.pvpanic === true,
  });
}

/** As MemoryConfig::total_size() adds it up: with zones `size` is 0 and each has its own. */
function memoryOf(memory: Fields | undefined): AllocatedMemory {
  if (!memory) return {};
  const parts = [memory, ...fieldsIn(memory.zones).slice(0, MAX_DEVICES)];
  const base = sumOf(parts, 'size');
  const plugged = optionalSumOf(parts, 'hotplugged_size');
  const room = optionalSumOf(parts, 'hotplug_size');
  return known<AllocatedMemory>({
    bytes: plus(base, plugged),
    hotpluggedBytes: plugged,
    maxBytes: room === 0 ? undefined : plus(base, room),
  });
}

function balloonOf(balloon: Fields | undefined, memory: AllocatedMemory, actualBytes: number | undefined): Balloon | undefined {
  if (!balloon) return undefined;
  const { bytes, hotpluggedBytes } = memory;
  // What of the memory that was plugged the guest took is in neither number: without any, the rest is the balloon's.
  const isWhole = hotpluggedBytes === 0 && bytes !== undefined && actualBytes !== undefined && actualBytes <= bytes;
  return known<Balloon>({ actualBytes, heldBytes: isWhole ? bytes - actualBytes : undefined, targetHeldBytes: countOf(balloon.size) });
}

function disksOf(config: Fields | undefined): readonly ConfiguredDisk[] {
  return fieldsIn(config?.disks)
    .slice(0, MAX_DEVICES)
    .flatMap((disk) => {
      const device = textOf(disk.id, PATH_LIMIT);
      // A disk has this or is in a group, whose limit is for all its disks together and of none of them.
      const limiter = fieldsOf(disk.rate_limiter_config);
      if (device === undefined) return [];
      return known<ConfiguredDisk>({
        device,
        file: textOf(disk.path, PATH_LIMIT),
        format: formatOf(textOf(disk.image_type, WORD_LIMIT)),
        readOnly: typeof disk.readonly === 'boolean' ? disk.readonly : undefined,
        bytesPerSecond: perSecond(fieldsOf(limiter?.bandwidth)),
        operationsPerSecond: perSecond(fieldsOf(limiter?.ops)),
      });
    });
}

/** block/src/lib.rs, ImageType, in the words that its Display has. */
const FORMATS: Readonly<Record<string, string>> = { FlatVmdk: 'vmdk', FixedVhd: 'vhd', Qcow2: 'qcow2', Raw: 'raw', Vhdx: 'vhdx' };
const formatOf = (type: string | undefined): string | undefined =>
  type !== undefined && Object.hasOwn(FORMATS, type) ? FORMATS[type] : undefined;

/** A bucket of `size` that is filled anew in `refill_time` milliseconds; one without either limits nothing. */
function perSecond(bucket: Fields | undefined): number | undefined {
  const size = countOf(bucket?.size);
  const milliseconds = countOf(bucket?.refill_time);
  return size && milliseconds ? Math.round((size / milliseconds) * 1000) : undefined;
}

/** Unknown as soon as one is. */
const sumOf = (parts: readonly Fields[], member: string): number | undefined => parts.map((part) => countOf(part[member])).reduce(plus, 0);

/** Of a member that is null or left out for none. */
const optionalSumOf = (parts: readonly Fields[], member: string): number | undefined =>
  sumOf(
    parts.filter((part) => part[member] !== null && part[member] !== undefined),
    member,
  );

const plus = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : countOf(a + b);
