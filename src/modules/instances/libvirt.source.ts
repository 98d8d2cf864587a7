import type { Host } from '../../host/host.js';
import { entriesOf, isThere } from '../../host/strangers.js';
import type { InstanceRecord, InstanceSource } from '../../model/instance.js';
import { KeptFiles } from './kept-files.js';
import { parseRunState } from './libvirt-status.js';
import { Problems } from './problems.js';

const RUN_STATE_BYTES = 4 << 20;
const MAX_DOMAINS = 20_000;
/** Less than the registry waits for a source. */
const LIST_DEADLINE_MS = 8000;

/**
 * Domains of libvirt's system QEMU driver, from the run state files it keeps of live domains; libvirt itself is not asked, and its monitor
 * socket is named but must never be opened (it serves one client, libvirt). Defined domains that do not run are not here.
 */
export class LibvirtSource implements InstanceSource {
  readonly name = 'libvirt';
  private found = new Problems();
  private readonly files: KeptFiles<InstanceRecord>;

  constructor(private readonly host: Host) {
    this.files = new KeptFiles(host, RUN_STATE_BYTES, parseRunState);
  }

  get problems(): ReadonlyMap<string, string> {
    return this.found.lines;
  }

  /** @throws EACCES and whatever else forbids to look into the directory; a missing one holds no domains */
  async list(): Promise<readonly InstanceRecord[]> {
    const problems = new Problems();
    const untilMs = this.host.clock.monotonic() + LIST_DEADLINE_MS;
    const names = await this.fileNames(problems);
    const readings = await this.files.readAll(new Map(names.map((name) => [name, this.host.run('libvirt', 'qemu', name)])), untilMs);
    const records = new Map<string, InstanceRecord>();
    for (const [name, { value, problem }] of readings) {
      if (problem !== undefined) problems.note(name, problem);
      if (value === undefined) continue;
      if (records.has(value.id)) problems.note(name, 'another file has the same uuid');
      else records.set(value.id, value);
    }
    this.found = problems;
    return [...records.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  private async fileNames(problems: Problems): Promise<readonly string[]> {
    const directory = this.host.run('libvirt', 'qemu');
    if (!(await isThere(directory))) return [];
    const { names, complete } = await entriesOf(directory, 'file', MAX_DOMAINS, (name) => name.endsWith('.xml'));
    if (!complete) problems.note('(directory)', `more than ${MAX_DOMAINS} domains: the rest is left out`);
    return names;
  }
}
