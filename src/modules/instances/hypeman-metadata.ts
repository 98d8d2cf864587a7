import { type Hypervisor, type InstanceRecord, NAME_LIMIT, type Nic, type ProcessClaim } from '../../model/instance.js';
import { MalformedError } from './problems.js';
import { MAC, PRINTABLE } from './spellings.js';

/** PATH_MAX of Linux. */
const PATH_LIMIT = 4096;

const HYPERVISORS: Readonly<Record<string, Hypervisor>> = {
  'cloud-hypervisor': 'cloud-hypervisor',
  firecracker: 'firecracker',
  qemu: 'qemu',
  'qemu-microvm': 'qemu',
};

/** What guests/<id>/metadata.json says that we use. Nothing of Env, Entrypoint, Cmd or Tags: they may hold secrets. */
export interface HypemanMetadata {
  readonly record: InstanceRecord;
  /** Control socket of the VMM as hypeman named it; gone while there is no VMM. */
  readonly socketPath?: string;
  /** A VMM that runs has not yet started its program, or its agent has not answered. */
  readonly initializing: boolean;
  /** Keys whose value makes no sense; what they would have said is left out of the record. */
  readonly ignored: readonly string[];
}

/**
 * metadata.json of one instance: Go field names, absent pointers are null (hypeman lib/instances/storage.go). Older versions lack the later
 * keys; a key that is not there says nothing.
 * @param id name of the directory
 * @throws MalformedError
 */
export function parseMetadata(text: string, id: string): HypemanMetadata {
  const fields = new Fields(parseObject(text));
  if (fields.text('Id', 128) !== id) throw new MalformedError('its Id is not the name of its directory');
  const socketPath = fields.text('SocketPath', PATH_LIMIT);
  const type = fields.text('HypervisorType', 64);
  const record: InstanceRecord = {
    id,
    name: fields.text('Name', NAME_LIMIT),
    hypervisor: type === undefined ? undefined : hypervisor(type),
    vcpus: fields.count('Vcpus'),
    memoryBytes: memoryBytes(fields),
    nics: nics(fields, id),
    sockets: socketPath === undefined ? undefined : [socketPath],
    process: claim(fields, socketPath),
  };
  return { record, initializing: isInitializing(fields), ignored: fields.ignored, socketPath };
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The message of JSON.parse quotes the text, which may hold secrets.
    throw new MalformedError(text.trim() === '' ? 'the file is empty' : 'not JSON, or only a part of it');
  }
  if (!isObject(value)) throw new MalformedError('not a JSON object');
  return value;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

const hypervisor = (type: string): Hypervisor => (Object.hasOwn(HYPERVISORS, type) ? HYPERVISORS[type] : 'unknown');

/** Bytes. Hot-plugged memory counts as given. */
function memoryBytes(fields: Fields): number | undefined {
  const base = fields.count('Size');
  const plugged = fields.count('HotplugSize');
  if (base === undefined || fields.ignored.includes('HotplugSize')) return undefined;
  return plugged === undefined ? base : base + plugged;
}

/** hypeman names a TAP by its rule, not in the record: lib/network/allocate.go. */
function nics(fields: Fields, id: string): readonly Nic[] | undefined {
  const enabled = fields.flag('NetworkEnabled');
  if (enabled === undefined) return undefined;
  if (!enabled) return [];
  const mac = fields.text('MAC', 17, MAC);
  return [{ kind: 'tap', name: `hype-${id.slice(0, 8).toLowerCase()}`, mac: mac?.toLowerCase() }];
}

/** The stored pid stays after a crash, an OOM kill and a reboot, so it is never more than a claim. */
function claim(fields: Fields, socketPath: string | undefined): ProcessClaim | undefined {
  const pid = fields.count('HypervisorPID');
  const startTicks = fields.count('HypervisorStartTime');
  const bootId = fields.text('HypervisorBootID', 64);
  const unverifiable = fields.ignored.includes('HypervisorStartTime') || fields.ignored.includes('HypervisorBootID');
  if (pid === undefined || unverifiable) return undefined;
  return { pid, startTicks, bootId, argument: socketPath, mustBeVmm: true };
}

function isInitializing(fields: Fields): boolean {
  const agentAwaited = fields.isNull('GuestAgentReadyAt') && fields.flag('SkipGuestAgent') !== true;
  return fields.isNull('ProgramStartedAt') || agentAwaited;
}

/** Picks fields one by one. Null, zero and the empty string are Go's way of saying nothing. */
class Fields {
  readonly ignored: string[] = [];

  constructor(private readonly object: Readonly<Record<string, unknown>>) {}

  isNull(key: string): boolean {
    return this.object[key] === null;
  }

  text(key: string, limit: number, pattern?: RegExp): string | undefined {
    const value = this.object[key];
    if (value === undefined || value === null || value === '') return undefined;
    if (typeof value === 'string' && value.length <= limit && PRINTABLE.test(value) && (pattern?.test(value) ?? true)) return value;
    return this.ignore(key);
  }

  /** A positive whole number. Above 2^53 JSON.parse has already rounded it. */
  count(key: string): number | undefined {
    const value = this.object[key];
    if (value === undefined || value === null || value === 0) return undefined;
    return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : this.ignore(key);
  }

  flag(key: string): boolean | undefined {
    const value = this.object[key];
    if (value === undefined || value === null) return undefined;
    return typeof value === 'boolean' ? value : this.ignore(key);
  }

  private ignore(key: string): undefined {
    if (!this.ignored.includes(key)) this.ignored.push(key);
    return undefined;
  }
}
