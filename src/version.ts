import { readOwnFile } from './host/own-files.js';

/** Version of the package, from its own manifest beside the compiled code. */
export const VERSION: string = versionOf(readOwnFile('package.json'));

function versionOf(manifest: string | undefined): string {
  const version = /"version":\s*"([^"]+)"/.exec(manifest ?? '')?.[1];
  return version ?? 'unknown';
}
