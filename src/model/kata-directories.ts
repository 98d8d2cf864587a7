/** What stands behind a directory below one of Kata's roots. `phantom`: it never was Kata's. `stale`: left by a shim that is gone. */
export const DIRECTORY_STATES = ['live', 'phantom', 'stale'] as const;
export type DirectoryState = (typeof DIRECTORY_STATES)[number];

/** One of the directories below which a runtime of Kata keeps one directory a sandbox. */
export interface KataRoot {
  readonly root: string;
  readonly counts: Readonly<Record<DirectoryState, number>>;
}

/** A source of instances that looks below Kata's roots. */
export interface KataDirectories {
  readonly directories: {
    /** Whether Kata is on this host at all. */
    readonly present: boolean;
    /** Roots that exist, as of the last look. */
    readonly roots: readonly KataRoot[];
  };
}

export function isKataDirectories<Source extends object>(source: Source): source is Source & KataDirectories {
  const told: unknown = Reflect.get(source, 'directories');
  return typeof told === 'object' && told !== null && 'present' in told && 'roots' in told;
}
