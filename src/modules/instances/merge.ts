import { ID_PATTERN, type InstanceRecord } from '../../model/instance.js';

export interface ProcessKey {
  readonly pid: number;
  readonly startTicks: number;
}

/** What one source said, with its process claim already checked: null when it made none or it did not hold. */
export interface Sighting {
  readonly source: string;
  readonly record: InstanceRecord;
  readonly process: ProcessKey | null;
}

/** One VM as all sources together know it. `sources` in order of precedence; the first one named it. */
export interface MergedInstance {
  readonly id: string;
  readonly sources: readonly string[];
  readonly record: InstanceRecord;
  readonly process: ProcessKey | null;
}

const HOST = 'host';
const ID_LIMIT = 128;

const keyOf = (process: ProcessKey): string => `${process.pid}:${process.startTicks}`;

/**
 * Sightings of the same process are one instance; so are sightings of the same id unless both have a process and these differ.
 * A second VM with a taken id gets a longer one, so that no tenant can take over another's answers by choosing a name.
 * @param sightings in order of precedence; within a source the older process first
 */
export function mergeSightings(sightings: readonly Sighting[]): MergedInstance[] {
  const byProcess = new Map<string, MergedInstance>();
  const byId = new Map<string, MergedInstance>();
  for (const sighting of sightings) {
    const known = findSame(sighting, byProcess, byId);
    const merged = known ? join(known, sighting) : { ...sighting, id: freeId(sighting, byId), sources: [sighting.source] };
    byId.set(merged.id, merged);
    if (merged.process) byProcess.set(keyOf(merged.process), merged);
  }
  return [...byId.values()];
}

function findSame(
  { record, process }: Sighting,
  byProcess: ReadonlyMap<string, MergedInstance>,
  byId: ReadonlyMap<string, MergedInstance>,
): MergedInstance | undefined {
  const sameProcess = process ? byProcess.get(keyOf(process)) : undefined;
  if (sameProcess) return sameProcess;
  const sameId = byId.get(record.id);
  return sameId && !(sameId.process && process) ? sameId : undefined;
}

/** The earlier source's words win, except where the host sees with its own eyes: the devices. */
function join(known: MergedInstance, { source, record, process }: Sighting): MergedInstance {
  const merged = { ...definite(record), ...definite(known.record), id: known.id };
  const observed = source === HOST ? record.nics : undefined;
  return {
    id: known.id,
    sources: known.sources.includes(source) ? known.sources : [...known.sources, source],
    record: observed ? { ...merged, nics: observed } : merged,
    process: known.process ?? process,
  };
}

/** Without the members that say nothing, so that another source's may stand. */
function definite(record: InstanceRecord): InstanceRecord {
  const known = Object.entries(record).filter(([, value]) => value !== undefined && value !== 'unknown');
  // Object.fromEntries forgets the keys' names; they are the record's own.
  return { ...(Object.fromEntries(known) as Partial<InstanceRecord>), id: record.id };
}

function freeId({ record, process, source }: Sighting, byId: ReadonlyMap<string, MergedInstance>): string {
  const wanted = ID_PATTERN.test(record.id) ? record.id : `${source}-instance`;
  if (!byId.has(wanted)) return wanted;
  const suffix = process ? `.${process.pid}-${process.startTicks}` : `.${source}`;
  const unique = wanted.slice(0, ID_LIMIT - suffix.length) + suffix;
  return byId.has(unique) ? `${unique.slice(0, ID_LIMIT - 4)}.${byId.size % 1000}` : unique;
}
