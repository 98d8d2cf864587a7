import {
  ArrayMaxSize,
  IsArray,
  IsIn,
  IsInt,
  Matches,
  Max,
  MaxLength,
  Min,
  Validate,
  ValidateIf,
  type ValidationArguments,
  ValidatorConstraint,
  type ValidatorConstraintInterface,
} from 'class-validator';
import { HYPERVISORS, type Hypervisor, NAME_LIMIT, NIC_KINDS, type NicKind } from '../../model/instance.js';
import { checkFields } from './check-fields.js';
import { MalformedError } from './problems.js';
import { INTERFACE_NAME, MAC, PRINTABLE, UUID } from './spellings.js';

/** PID_MAX_LIMIT of a 64-bit kernel, include/linux/threads.h. */
const PID_LIMIT = 4_194_304;
/** Four times what KVM allows a VM on x86 (KVM_MAX_VCPUS 4096). */
const VCPU_LIMIT = 16_384;
const INTERFACE_LIMIT = 256;
const SOCKET_LIMIT = 16;
/** PATH_MAX. */
const PATH_LIMIT = 4096;

/** May be missing, but not null: a null is more often a writer's mistake than a word for "unknown". */
const Optional = (): PropertyDecorator => ValidateIf((_, value) => value !== undefined);

const upTo = (limit: number) => ({ message: `$property must be a whole number from 1 to ${limit}` });
const NAME = { message: `$property must be text of 1 to ${NAME_LIMIT} characters without control characters` };
const START = { message: '$property must be the clock ticks of field 22 of /proc/<pid>/stat: a pid is accepted only with its start time' };
const SOCKETS = { message: `$property must be a list of at most ${SOCKET_LIMIT} paths` };

/** One NIC as a registration names it. */
export class InterfaceFields {
  @Matches(INTERFACE_NAME, { message: '$property must be an interface name of 1 to 15 characters' })
  name = '';

  /** `tap` where it is missing. */
  @Optional()
  @IsIn(NIC_KINDS, { message: `$property must be one of ${NIC_KINDS.join(', ')}` })
  kind?: NicKind;

  @Optional()
  @Matches(MAC, { message: '$property must be a MAC address such as 52:54:00:12:34:56' })
  mac?: string;
}

/** Checks each NIC without @ValidateNested, which would need class-transformer to make instances of them first. */
@ValidatorConstraint({ name: 'interfaces' })
class Interfaces implements ValidatorConstraintInterface {
  validate(value: unknown): boolean {
    return complaint(value) === undefined;
  }

  defaultMessage({ value }: ValidationArguments): string {
    return `$property${complaint(value)}`;
  }
}

function complaint(value: unknown): string | undefined {
  if (!Array.isArray(value) || value.length > INTERFACE_LIMIT) return ` must be a list of at most ${INTERFACE_LIMIT}`;
  for (const [i, item] of value.entries()) {
    try {
      checkFields(new InterfaceFields(), item);
    } catch (error) {
      if (error instanceof MalformedError) return `[${i}]: ${error.problem}`;
      throw error;
    }
  }
  return undefined;
}

/** What a registration may say of an instance, in a file or through the API: the words of InstanceRecord in snake_case. */
export class InstanceFields {
  @Optional()
  @Matches(PRINTABLE, NAME)
  @MaxLength(NAME_LIMIT, NAME)
  name?: string;

  @Optional()
  @Matches(UUID, { message: '$property must be a UUID' })
  uuid?: string;

  @Optional()
  @IsIn(HYPERVISORS, { message: `$property must be one of ${HYPERVISORS.join(', ')}` })
  hypervisor?: Hypervisor;

  /** The VMM process. With `start_ticks` or not at all: a pid alone may be another VM's by the time it is read. */
  @ValidateIf(({ pid, start_ticks, boot_id }: InstanceFields) => [pid, start_ticks, boot_id].some((value) => value !== undefined))
  @IsInt(upTo(PID_LIMIT))
  @Min(1, upTo(PID_LIMIT))
  @Max(PID_LIMIT, upTo(PID_LIMIT))
  pid?: number;

  /** Field 22 of /proc/<pid>/stat: clock ticks after boot. */
  @ValidateIf(({ pid, start_ticks }: InstanceFields) => pid !== undefined || start_ticks !== undefined)
  @IsInt(START)
  @Min(1, START)
  @Max(Number.MAX_SAFE_INTEGER, START)
  start_ticks?: number;

  /** /proc/sys/kernel/random/boot_id of the boot that `start_ticks` belongs to. */
  @Optional()
  @Matches(UUID, { message: '$property must be the UUID in /proc/sys/kernel/random/boot_id' })
  boot_id?: string;

  @Optional()
  @IsInt(upTo(VCPU_LIMIT))
  @Min(1, upTo(VCPU_LIMIT))
  @Max(VCPU_LIMIT, upTo(VCPU_LIMIT))
  vcpus?: number;

  @Optional()
  @IsInt(upTo(Number.MAX_SAFE_INTEGER))
  @Min(1, upTo(Number.MAX_SAFE_INTEGER))
  @Max(Number.MAX_SAFE_INTEGER, upTo(Number.MAX_SAFE_INTEGER))
  memory_bytes?: number;

  /** All NICs; an empty list says that there are none, a missing one that it is not known. */
  @Optional()
  @Validate(Interfaces)
  interfaces?: InterfaceFields[];

  /** Control sockets as the process names them. */
  @Optional()
  @IsArray(SOCKETS)
  @ArrayMaxSize(SOCKET_LIMIT, SOCKETS)
  @Matches(PRINTABLE, { each: true, ...SOCKETS })
  @MaxLength(PATH_LIMIT, { each: true, ...SOCKETS })
  sockets?: string[];
}
