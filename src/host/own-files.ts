import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * A file of the package itself: beside the compiled code (a bundle), or above it (dist/ of a checkout or an installed package).
 * undefined when it was not shipped.
 */
export function readOwnFile(name: string): string | undefined {
  const here = dirname(fileURLToPath(import.meta.url));
  for (const directory of [here, join(here, '..'), join(here, '..', '..')]) {
    try {
      return readFileSync(join(directory, name), 'utf8');
    } catch {
      // Not here: one further up.
    }
  }
  return undefined;
}
