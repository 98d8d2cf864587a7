import { ID_PATTERN, type InstanceRecord, type InstanceState } from '../../model/instance.js';

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

const RESTING: ReadonlySet<InstanceState | undefined> = new Set(['stopped', 'standby']);

/** Members in which `unknown` is no word of the source's; a VM may well be called that. */
const CLOSED_SETS: ReadonlySet<string> = new Set(['hypervisor', 'state'] satisfies (keyof InstanceRecord)[]);

const keyOf = (process: ProcessKey): string => `${process.pid}:${process.startTicks}`;

/**
 * Sightings of the same process are one instance; so are sightings of the same id unless both have a process and these differ, or one source
 * says that its VM does not run or finds no VMM for its sandbox.
 * A second VM with a taken id gets a longer one, so that no tenant can take over another's answers by choosing a name; it keeps that one
 * when the first ends.
 * @param sightings in order of precedence; within a source the older process first
 * @param isKnown whether an instance of this id was there before
 */
export function mergeSightings(sightings: readonly Sighting[], isKnown: (id: string) => boolean = () => false): MergedInstance[] {
  const byProcess = new Map<string, MergedInstance>();
  const byId = new Map<string, MergedInstance>();
  for (const sighting of sightings) {
    const { source, record, process } = sighting;
    const known = findSame(sighting, byProcess, byId, isKnown);
    const merged = known ? join(known, sighting) : { id: freeId(sighting, byId, isKnown), sources: [source], record, process };
    byId.set(merged.id, merged);
    if (merged.process) byProcess.set(keyOf(merged.process), merged);
  }
  return [...byId.values()];
}

function findSame(
  sighting: Sighting,
  byProcess: ReadonlyMap<string, MergedInstance>,
  byId: ReadonlyMap<string, MergedInstance>,
  isKnown: (id: string) => boolean,
): MergedInstance | undefined {
  const { record, process } = sighting;
  const sameProcess = process ? byProcess.get(keyOf(process)) : undefined;
  if (sameProcess) return sameProcess;
  if (keepsLongerId(sighting, isKnown)) return undefined;
  const sameId = byId.get(record.id);
  if (!sameId || (sameId.process && process)) return undefined;
  // A source that says its VM does not run, or that looked for the VMM of a sandbox and found none, does not mean this process, whatever
  // that calls itself.
  const withoutVmm = RESTING.has(sameId.record.state) || sameId.record.sandbox !== undefined;
  return process && withoutVmm ? undefined : sameId;
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
  const known = Object.entries(record).filter(
    ([member, value]) => value !== undefined && !(CLOSED_SETS.has(member) && value === 'unknown'),
  );
  // Object.fromEntries forgets the keys' names; they are the record's own.
  return { ...(Object.fromEntries(known) as Partial<InstanceRecord>), id: record.id };
}

function freeId(sighting: Sighting, byId: ReadonlyMap<string, MergedInstance>, isKnown: (id: string) => boolean): string {
  const longer = longerId(sighting);
  const wanted = keepsLongerId(sighting, isKnown) ? longer : wantedId(sighting);
  if (!byId.has(wanted)) return wanted;
  let free = longer;
  // Somebody may have chosen just this id.
  for (let n = 2; byId.has(free); n++) free = withSuffix(longer, `.${n}`);
  return free;
}

const wantedId = ({ record, source }: Sighting): string => (ID_PATTERN.test(record.id) ? record.id : `${source}-instance`);

/** For a VM whose id another one has: pid and start time together never come again. */
const longerId = (sighting: Sighting): string =>
  withSuffix(wantedId(sighting), sighting.process ? `.${sighting.process.pid}-${sighting.process.startTicks}` : `.${sighting.source}`);

/** Only of what a process says of itself; the word of a source that manages VMs counts anew each time. */
const keepsLongerId = (sighting: Sighting, isKnown: (id: string) => boolean): boolean =>
  sighting.source === HOST && sighting.process !== null && isKnown(longerId(sighting));

const withSuffix = (id: string, suffix: string): string => id.slice(0, ID_LIMIT - suffix.length) + suffix;
