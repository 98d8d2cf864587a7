import { Injectable } from '@nestjs/common';
import { ApiError } from '../../model/errors.js';
import { ID_PATTERN } from '../../model/instance.js';
import { timestamp } from '../../model/units.js';
import { Discovery } from '../instances/discovery.js';
import type { Instance } from '../instances/instance.js';
import type { InstanceListQuery } from './instance-list.query.js';

const DEFAULT_LIMIT = 1000;

/** Instances as records rather than numbers: the list, and one with everything that identifies it. */
@Injectable()
export class InstanceView {
  constructor(private readonly discovery: Discovery) {}

  /** Sorted by id. The cursor is opaque to clients: the last id of the page before. */
  list(instances: Iterable<Instance>, query: InstanceListQuery): { instances: object[]; next_cursor: string | null } {
    const limit = Number(query.limit ?? DEFAULT_LIMIT);
    const after = query.cursor === undefined ? '' : decodeCursor(query.cursor);
    const matching = [...instances]
      .filter((instance) => instance.id > after && matches(instance, query))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    const page = matching.slice(0, limit);
    const last = page.at(-1);
    return { instances: page.map(summary), next_cursor: last && matching.length > limit ? encodeCursor(last.id) : null };
  }

  one(instance: Instance): object {
    const { record, current } = instance;
    const seen = current ? this.discovery.source.vmm(current.pid) : undefined;
    // The last pass may have seen an earlier owner of the pid.
    const vmm = seen?.startTicks === current?.startTicks ? seen : undefined;
    return {
      ...summary(instance),
      uuid: record.uuid ?? null,
      sources: instance.sources,
      generation: instance.generation,
      ended_at: timestamp(instance.endedMs),
      processes: current
        ? [
            {
              role: 'vmm',
              pid: current.pid,
              start_ticks: current.startTicks,
              uid: vmm?.uid ?? null,
              executable: vmm?.executable ?? null,
              vhost_threads: instance.vhostThreads,
            },
          ]
        : [],
      interfaces:
        instance.nics?.map(({ kind, name, mac, device }) => ({ kind, name: name ?? null, mac: mac ?? null, device: device ?? null })) ??
        null,
      sockets: record.sockets ?? [],
      cgroups: vmm?.cgroups ?? [],
    };
  }
}

function summary(instance: Instance): object {
  const { record } = instance;
  return {
    id: instance.id,
    name: instance.name,
    source: instance.sources[0],
    hypervisor: instance.hypervisor,
    state: instance.state,
    pid: instance.current?.pid ?? null,
    started_at: timestamp(instance.startedMs),
    allocated: { vcpus: record.vcpus ?? null, memory_bytes: record.memoryBytes ?? null },
  };
}

function matches(instance: Instance, { source, hypervisor, state, name }: InstanceListQuery): boolean {
  return (
    (source === undefined || instance.sources.includes(source)) &&
    (hypervisor === undefined || instance.hypervisor === hypervisor) &&
    (state === undefined || instance.state === state) &&
    (name === undefined || instance.name === name)
  );
}

const encodeCursor = (id: string): string => Buffer.from(id).toString('base64url');

function decodeCursor(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString('latin1');
  if (!ID_PATTERN.test(id)) throw new ApiError('invalid_request', 'cursor is not one that this agent gave');
  return id;
}
