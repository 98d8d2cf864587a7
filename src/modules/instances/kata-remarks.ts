import type { InstanceState } from '../../model/instance.js';
import type { FoundBundle } from './kata-bundles.js';
import type { SandboxDirectory } from './kata-directories.js';
import type { Roles } from './kata-roles.js';
import type { KataState } from './kata-state.js';
import type { Reading } from './kept-files.js';
import type { Problems } from './problems.js';

export function noteBundle(bundle: FoundBundle | undefined, problems: Problems): undefined {
  if (bundle && bundle.problems.length > 0) problems.note(bundle.path, bundle.problems.join('; '));
}

const fileOf = ({ stateFile }: SandboxDirectory): string => stateFile.slice(stateFile.lastIndexOf('/') + 1);

const isMissing = ({ error }: Reading<KataState>): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');

/** @param mayMiss another directory has the file, or its runtime has not written it yet */
export function noteState(
  directory: SandboxDirectory,
  reading: Reading<KataState> | undefined,
  problems: Problems,
  mayMiss: boolean,
): void {
  const ignored = reading?.value?.ignored ?? [];
  const { problem } = reading ?? {};
  if (problem !== undefined && !(mayMiss && reading && isMissing(reading)))
    problems.note(directory.name, `${fileOf(directory)}: ${problem}`);
  else if (ignored.length > 0) problems.note(directory.name, `${fileOf(directory)}: no sense in ${ignored.join(', ')}`);
}

/** Of a directory behind which nothing lives a missing file says nothing more. */
export function remarksOn(directory: SandboxDirectory, reading: Reading<KataState> | undefined): readonly string[] {
  return reading?.problem === undefined || isMissing(reading) ? [] : [`${fileOf(directory)}: ${reading.problem}`];
}

/** A sandbox of which only the half lives: either end may be a leak. */
export function noteHalf(id: string, { shim, vmm }: Roles, withoutVmm: InstanceState, problems: Problems): void {
  if (shim && !vmm && withoutVmm === 'unknown') problems.note(id, 'its shim lives, but no VMM of it was found');
  if (vmm && !shim) problems.note(id, 'its VMM lives, but no shim of it was found');
}
