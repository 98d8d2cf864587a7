import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import { allocatedMemory } from '../../model/collector.js';
import { ApiError } from '../../model/errors.js';
import { ID_PATTERN, type Sandbox } from '../../model/instance.js';
import { timestamp } from '../../model/units.js';
import { OwnGroups, UNIFIED } from '../cgroup/own-group.js';
import { Discovery } from '../instances/discovery.js';
import type { Instance } from '../instances/instance.js';
import type { ProcessKey } from '../instances/merge.js';
import type { Vmm } from '../instances/process-examiner.js';
import type { ProcfsProcess } from '../procfs/held-process.js';
import type { InstanceListQuery } from './instance-list.query.js';

const DEFAULT_LIMIT = 1000;
/** By which hierarchy a cgroup is named that may have another path in each: what limits most VMs first. */
const HIERARCHIES = ['memory', 'cpu', 'pids', UNIFIED] as const;
/** What the kernel adds to a program that was replaced on the disk, proc_pid_exe(5). */
const DELETED = / \(deleted\)$/;

/** Instances as records rather than numbers: the list, and one with everything that identifies it. */
@Injectable()
export class InstanceView {
  private readonly groups: OwnGroups;

  constructor(
    private readonly discovery: Discovery,
    host: Host,
  ) {
    this.groups = new OwnGroups(host);
  }

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
    const { record } = instance;
    const vmm = this.vmm(instance);
    return {
      ...summary(instance),
      uuid: record.uuid ?? null,
      sources: instance.sources,
      generation: instance.generation,
      ended_at: timestamp(instance.endedMs),
      processes: processes(instance, vmm),
      interfaces:
        instance.nics?.map(({ kind, name, mac, device }) => ({ kind, name: name ?? null, mac: mac ?? null, device: device ?? null })) ??
        null,
      sockets: record.sockets ?? [],
      cgroups: vmm?.cgroups ?? [],
      cgroup: this.ownCgroup(instance),
      sandbox: record.sandbox ? sandbox(record.sandbox) : null,
    };
  }

  /** null: it has none of its own, or that cannot be seen. */
  private ownCgroup(instance: Instance): object | null {
    const { current, record } = instance;
    try {
      const found = this.groups.findAll({ process: current, record, companion: (role) => instance.companion(role) }, HIERARCHIES);
      const group = found.find((one) => typeof one !== 'number');
      if (!group) return null;
      const overhead = group.kind === 'kata' ? record.sandbox?.cgroup?.overheadPath : undefined;
      return { kind: group.kind, path: group.path, version: group.version, overhead_path: overhead ?? null };
    } catch {
      // Its process has just ended.
      return null;
    }
  }

  /** What host discovery saw of the process; the last pass may have seen an earlier owner of the pid. */
  private vmm({ current }: Instance): Vmm | undefined {
    const seen = current ? this.discovery.source.vmm(current.pid) : undefined;
    return seen?.startTicks === current?.startTicks ? seen : undefined;
  }
}

/** The VMM first. A shim that contains its VMM stands in both roles. */
function processes(instance: Instance, vmm: Vmm | undefined): object[] {
  const { current, vhostThreads, record } = instance;
  const line = (role: string, { pid, startTicks }: ProcessKey, about: Partial<Vmm> = {}, threads: readonly number[] = []): object => ({
    role,
    pid,
    start_ticks: startTicks,
    uid: about.uid ?? null,
    executable: about.executable ?? null,
    vhost_threads: threads,
  });
  // Held only beside a VMM; a source that lists them without one has just seen them.
  if (!current) return instance.listed && !record.process ? (record.companions ?? []).map((one) => line(one.role, one)) : [];
  return [
    line('vmm', current, vmm, vhostThreads),
    ...[...instance.companions.latest].sort(([a], [b]) => (a < b ? -1 : 1)).map(([role, process]) => line(role, process, about(process))),
  ];
}

/** Owner and program of a held process, as far as we may look. */
function about({ held }: ProcfsProcess): { uid?: number; executable?: string } {
  const seen: { uid?: number; executable?: string } = {};
  try {
    seen.uid = held.owner();
    seen.executable = held.link('exe').replace(DELETED, '');
  } catch {
    // It has just ended, or is not ours to look at: what is known so far.
  }
  return seen;
}

function sandbox({ runtime, vmmInShim, directory, pod, agentUrl, networkNamespace, cgroup }: Sandbox): object {
  return {
    runtime: runtime ?? null,
    vmm_in_shim: vmmInShim,
    directory: directory ?? null,
    pod: { uid: pod?.uid ?? null, name: pod?.name ?? null, namespace: pod?.namespace ?? null },
    agent_url: agentUrl ?? null,
    network_namespace: networkNamespace ?? null,
    cgroups: { sandbox: cgroup?.path ?? null, overhead: cgroup?.overheadPath ?? null, sandbox_only: cgroup?.sandboxOnly ?? null },
  };
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
    allocated: { vcpus: record.vcpus ?? null, memory_bytes: allocatedMemory(instance) ?? null },
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
