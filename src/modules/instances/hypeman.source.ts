import { basename, isAbsolute, join } from 'node:path';
import type { Host } from '../../host/host.js';
import { entriesOf, hasEntries, isThere } from '../../host/strangers.js';
import { ID_PATTERN, type InstanceRecord, type InstanceSource, type InstanceState } from '../../model/instance.js';
import { type HypemanMetadata, parseMetadata } from './hypeman-metadata.js';
import { KeptFiles, mapBounded, type Reading } from './kept-files.js';
import { describeError, Problems } from './problems.js';

const METADATA_BYTES = 1 << 20;
const MAX_GUESTS = 20_000;
/** Less than the registry waits for a source. */
const LIST_DEADLINE_MS = 8000;

/**
 * VMs of hypeman, from its data directory and without asking it: guests/<id>/metadata.json, the control socket's path and
 * snapshots/snapshot-latest. Cannot know whether a VM is paused; a record says what hypeman last wrote, not what lives.
 */
export class HypemanSource implements InstanceSource {
  readonly name = 'hypeman';
  private found = new Problems();
  private readonly guests: string;
  private readonly files: KeptFiles<HypemanMetadata>;

  constructor(
    private readonly host: Host,
    dataDir: string,
  ) {
    this.guests = join(dataDir, 'guests');
    this.files = new KeptFiles(host, METADATA_BYTES, parseMetadata);
  }

  get problems(): ReadonlyMap<string, string> {
    return this.found.lines;
  }

  /** @throws EACCES and whatever else forbids to look into the directory; a missing one holds no instances */
  async list(): Promise<readonly InstanceRecord[]> {
    const problems = new Problems();
    const untilMs = this.host.clock.monotonic() + LIST_DEADLINE_MS;
    const ids = await this.directories(problems);
    const readings = await this.files.readAll(new Map(ids.map((id) => [id, join(this.guests, id, 'metadata.json')])), untilMs);
    const records = await mapBounded([...readings], ([id, reading]) => this.record(id, reading, problems, untilMs));
    this.found = problems;
    return records.filter((record) => record !== undefined);
  }

  private async directories(problems: Problems): Promise<string[]> {
    if (!(await isThere(this.guests))) return [];
    // A Firecracker fork renames its source's directory for a moment and puts a symlink in its place.
    const { names, complete } = await entriesOf(this.guests, 'directory', MAX_GUESTS, (name) => !name.includes('.fork-bak.'));
    if (!complete) problems.note('guests', `more than ${MAX_GUESTS} directories: the rest is left out`);
    return names.filter((name) => {
      const valid = ID_PATTERN.test(name);
      if (!valid) problems.note(name, 'the name of the directory is no id');
      return valid;
    });
  }

  private async record(
    id: string,
    { value, problem }: Reading<HypemanMetadata>,
    problems: Problems,
    untilMs: number,
  ): Promise<InstanceRecord | undefined> {
    if (problem !== undefined) problems.note(id, `metadata.json: ${problem}`);
    if (value === undefined) return undefined;
    if (problem === undefined && value.ignored.length > 0) problems.note(id, `metadata.json: no sense in ${value.ignored.join(', ')}`);
    if (this.host.clock.monotonic() >= untilMs) return value.record;
    try {
      const state = await this.state(id, value);
      return state === undefined ? value.record : { ...value.record, state };
    } catch (error) {
      problems.note(id, `control socket: ${describeError(error)}`);
      return value.record;
    }
  }

  /** hypeman's own rules (lib/instances/query.go) but for its question to the VMM. */
  private async state(id: string, { socketPath, initializing }: HypemanMetadata): Promise<InstanceState | undefined> {
    if (socketPath === undefined) return undefined;
    if (await this.hasSocket(id, socketPath)) return initializing ? 'initializing' : 'running';
    return (await hasEntries(join(this.guests, id, 'snapshots', 'snapshot-latest'))) ? 'standby' : 'stopped';
  }

  /** The instance's own directory first: hypeman may see its data directory under another path than we do. */
  private async hasSocket(id: string, path: string): Promise<boolean> {
    return (await isThere(join(this.guests, id, basename(path)))) || (isAbsolute(path) && (await isThere(path)));
  }
}
