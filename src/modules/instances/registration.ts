import { Matches } from 'class-validator';
import { ID_PATTERN, type InstanceRecord } from '../../model/instance.js';
import { InstanceFields } from './instance-fields.js';

/** Body of a registration through the API; the id stands in the path. */
export class RegistrationBody extends InstanceFields {}

/** One entry of a registration file or of the store: the same and its id. */
export class RegistrationEntry extends InstanceFields {
  @Matches(ID_PATTERN, { message: `$property must be text that matches ${ID_PATTERN.source}` })
  id = '';
}

/** @param entry validated */
export function toRecord(entry: RegistrationEntry): InstanceRecord {
  const { id, name, uuid, hypervisor, pid, start_ticks, boot_id, vcpus, memory_bytes, interfaces, sockets } = entry;
  return {
    id,
    name,
    uuid,
    hypervisor,
    // The start time is proof enough: a VMM that nobody has on a list can be registered.
    process: pid === undefined ? undefined : { pid, startTicks: start_ticks, bootId: boot_id },
    vcpus,
    memoryBytes: memory_bytes,
    nics: interfaces?.map(({ name, kind = 'tap', mac }) => ({ kind, name, mac })),
    sockets,
  };
}
