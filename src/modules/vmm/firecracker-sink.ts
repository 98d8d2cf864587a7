import { withDeadline } from '../../host/deadline.js';
import type { HeldDirectory } from '../../host/held.js';
import type { Host } from '../../host/host.js';
import { holdPlace } from '../../host/in-root.js';
import { type WrittenFile, whatIsWritten } from '../../host/written-file.js';
import type { HeldProcess } from '../../model/process.js';
import { parseMetricsPath, parseNamedFiles } from './firecracker-argv.js';
import { isSink, type OpenFile, parseOpenFile } from './open-file.js';
import { viewOf } from './own-socket.js';

const CONFIGURATION_BYTES = 1 << 20;
const MAX_DESCRIPTORS = 1024;
/** How a sink is known that no argument and no file names: it was set over the API, which does not tell it. */
const NAMED_SO = /metrics/i;
const DELETED = ' (deleted)';

/** What a Firecracker writes its metrics into, by the descriptor that it has of it. */
export interface Sink extends WrittenFile {
  readonly descriptor: string;
}

/** @param left milliseconds @returns null where it writes none @throws EACCES without ptrace rights over the process, ESRCH, ETIMEDOUT */
export async function findSink(process: HeldProcess, directory: HeldDirectory, host: Host, left: () => number): Promise<Sink | null> {
  const named = await namedSink(process, host, left);
  const sinks: (Sink & { readonly name: string })[] = [];
  for (const { descriptor, name } of sinksOf(directory)) {
    const written = await whatIsWritten(directory.path(`fd/${descriptor}`), left());
    if (written) sinks.push({ ...written, descriptor, name });
  }
  if (named === null) return sinks.find(({ name }) => NAMED_SO.test(name)) ?? null;
  const same = sinks.find(({ identity }) => identity === named.identity);
  // Renamed or replaced since.
  return same ?? sinks.find(({ name }) => name === named.name) ?? null;
}

/** What argv or a configuration file names; null for none. */
async function namedSink(
  process: HeldProcess,
  host: Host,
  left: () => number,
): Promise<{ readonly name: string; readonly identity?: string } | null> {
  const { metrics, configuration } = parseNamedFiles(await withDeadline(process.readAsync('cmdline'), left(), 'cmdline'));
  const path = metrics ?? (configuration === undefined ? undefined : await configured(process, configuration, host, left));
  if (path === undefined) return null;
  const name = path.slice(path.lastIndexOf('/') + 1);
  const written = await at(process, path, left, (place) => whatIsWritten(place, left()));
  return { name, ...(written && { identity: written.identity }) };
}

async function configured(process: HeldProcess, path: string, host: Host, left: () => number): Promise<string | undefined> {
  const text = await at(process, path, left, (place) => host.readStrangersFile(place, CONFIGURATION_BYTES, left()));
  return text === null ? undefined : parseMetricsPath(text);
}

/** What the process sees at the path; null where nothing can be seen there. */
async function at<T>(
  process: HeldProcess,
  path: string,
  left: () => number,
  look: (place: string) => Promise<T | null>,
): Promise<T | null> {
  const view = viewOf(process);
  if (!view) return null;
  try {
    const place = await holdPlace(view, path, left());
    try {
      return await look(`${place.directory}/${place.name}`);
    } finally {
      await place.close();
    }
  } catch {
    return null;
  }
}

/** Descriptors that are open as sinks are, by number. @throws EACCES without ptrace rights, ESRCH */
function sinksOf(directory: HeldDirectory): readonly { readonly descriptor: string; readonly name: string }[] {
  const descriptors = directory.list('fd').sort((a, b) => Number(a) - Number(b));
  return descriptors.slice(0, MAX_DESCRIPTORS).flatMap((descriptor) => {
    const link = linkOf(directory, descriptor);
    if (!link?.startsWith('/')) return [];
    const open = openFile(directory, descriptor);
    if (!open || !isSink(open)) return [];
    const path = link.endsWith(DELETED) ? link.slice(0, -DELETED.length) : link;
    return [{ descriptor, name: path.slice(path.lastIndexOf('/') + 1) }];
  });
}

/** undefined for one that was closed meanwhile. */
function linkOf(directory: HeldDirectory, descriptor: string): string | undefined {
  try {
    return directory.link(`fd/${descriptor}`);
  } catch {
    return undefined;
  }
}

/** null for one that was closed meanwhile. */
export function openFile(directory: HeldDirectory, descriptor: string): OpenFile | null {
  try {
    return parseOpenFile(directory.readText(`fdinfo/${descriptor}`));
  } catch {
    return null;
  }
}
