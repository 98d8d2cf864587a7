import type { Host } from '../../host/host.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { GroupFile, unlessMissing } from './group-file.js';
import { PRESSURE_LENGTH, parsePressure, RESOURCES, type Resource } from './pressure-text.js';

/** All numbers of a cgroup or of the host: those of each resource in turn. */
export const ALL_LENGTH = RESOURCES.length * PRESSURE_LENGTH;

/** Two lines of at most 80 characters. */
const text = Buffer.allocUnsafeSlow(1024);
const numbers = new Float64Array(PRESSURE_LENGTH);

interface PressureFile {
  readonly resource: Resource;
  readonly file: GroupFile;
}

/** The pressure files of a cgroup, or of the host. */
export class PressureFiles {
  private readonly files: PressureFile[] = [];

  private constructor(private readonly host: Host) {}

  /** @param path of the file of a resource @returns notConfigured or unsupported where there is none of them @throws errors of opening */
  static open(host: Host, path: (resource: Resource) => string): PressureFiles | Outcome {
    const files = new PressureFiles(host);
    try {
      for (const resource of RESOURCES) files.add(resource, path(resource));
    } catch (error) {
      files.close();
      throw error;
    }
    if (files.files.length > 0) return files;
    // Left out of all cgroups by cgroup_disable=pressure, of one by a 0 in its cgroup.pressure; where PSI is off, the host has none either.
    return host.exists(host.proc('pressure')) ? Outcome.notConfigured : Outcome.unsupported;
  }

  /** Linux recomputes the averages at each reading, over all CPUs. @param out ALL_LENGTH numbers, NaN for what the kernel does not tell */
  read(out: Float64Array): Outcome {
    out.fill(Number.NaN);
    try {
      for (const { resource, file } of this.files) {
        const length = file.read(text);
        if (!parsePressure(text, length, resource, numbers)) return Outcome.malformed;
        out.set(numbers, RESOURCES.indexOf(resource) * PRESSURE_LENGTH);
      }
      return Outcome.ok;
    } catch (error) {
      return outcomeOfPressure(error);
    }
  }

  close(): void {
    for (const { file } of this.files) file.close();
    this.files.length = 0;
  }

  private add(resource: Resource, path: string): void {
    const file = unlessMissing(() => new GroupFile(this.host, path));
    if (file) this.files.push({ resource, file });
  }
}

/** EOPNOTSUPP: the kernel has PSI, and it was booted without (psi=0, or no psi=1 where that is its default). */
export function outcomeOfPressure(error: unknown): Outcome {
  const outcome = outcomeOfErrno(error);
  return outcome === Outcome.unsupported ? Outcome.notConfigured : outcome;
}
