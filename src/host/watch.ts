import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';

/** Writers touch a file several times in a row; the call comes after this long without another touch. */
const QUIET_MS = 200;

export interface Watch {
  close(): void;
}

/**
 * Calls back some time after anything in the file's directory changed: a file that is replaced by rename, or mounted as a symlink,
 * changes there and not in itself. A hint only, as `watchDirectory`.
 */
export function watchFile(path: string, changed: () => void): Watch {
  return watchDirectory(dirname(path), () => true, changed);
}

/**
 * Calls back some time after an entry with a wanted name came, went or changed. A hint only: where the kernel has no watch left (ENOSPC)
 * or the directory goes away it stays silent, so the caller must look for itself now and then. Does not keep the process alive.
 */
export function watchDirectory(path: string, wanted: (name: string) => boolean, changed: () => void): Watch {
  let timer: NodeJS.Timeout | undefined;
  let watcher: FSWatcher | undefined;
  const close = (): void => {
    clearTimeout(timer);
    watcher?.close();
  };
  try {
    watcher = watch(path, { persistent: false }, (_, name) => {
      if (name !== null && !wanted(name)) return;
      clearTimeout(timer);
      timer = setTimeout(changed, QUIET_MS).unref();
    });
    watcher.on('error', close);
  } catch {
    // Without a watch changes are seen at the next rescan.
  }
  return { close };
}
