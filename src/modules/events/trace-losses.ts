import type { Host } from '../../host/host.js';

const TICK = /^\{\s*"type":\s*"printf",\s*"data":\s*"tick\b/;
const ERROR = /^\{\s*"type":\s*"(?:helper|runtime)_error"/;
/** Passed on between two tellings: a full map is an error an event, 35,000 a second of a busy host. */
const MAX_ERRORS = 100;
const FDINFO_BYTES = 4096;
/** Before, the number is there and always 0 for programs of tracepoints. */
const FIRST_RELEASE = { major: 6, minor: 7 } as const;

const told = (type: 'lost_events' | 'missed_events', events: number): string => `{"type": "${type}", "data": {"events": ${events}}}`;

export const isError = (line: string): boolean => ERROR.test(line);

/** What was not counted, said before each tick: errors beyond those that were passed on, and programs that the kernel left out. */
export class TraceLosses {
  private errors = 0;

  /** @param missed since the start of this life; null where the kernel does not tell */
  constructor(private readonly missed: () => number | null) {}

  get isFlooded(): boolean {
    return this.errors > MAX_ERRORS;
  }

  /** @param line as the program printed it. @returns what is to be said in its place */
  take(line: string): readonly string[] {
    if (isError(line)) return ++this.errors > MAX_ERRORS ? [] : [line];
    if (!TICK.test(line)) return [line];
    const missed = this.missed();
    const said = [
      ...(this.isFlooded ? [told('lost_events', this.errors - MAX_ERRORS)] : []),
      ...(missed === null ? [] : [told('missed_events', missed)]),
      line,
    ];
    this.errors = 0;
    return said;
  }
}

/**
 * How often the kernel left out a program because another ran on the same CPU, or a bpf(2) call copied an entry of a map there: `recursion_misses`
 * in /proc/<pid>/fdinfo/* of whoever holds the programs. Costs 10 µs a program, at the first reading 10 µs a descriptor.
 */
export class ProgramMisses {
  /** Of descriptors that are programs. */
  private paths: readonly string[] | null = null;

  constructor(private readonly host: Host) {}

  /** @param pid of one that has attached all its programs. @returns null where the kernel does not tell */
  read(pid: number): number | null {
    this.paths ??= this.isCounted() ? this.pathsIn(this.host.proc(String(pid), 'fdinfo')) : [];
    const found = this.paths.flatMap((path) => {
      const misses = /^recursion_misses:\s*(\d+)$/m.exec(this.host.tryReadText(path, FDINFO_BYTES) ?? '')?.[1];
      return misses === undefined ? [] : [{ path, misses: Number(misses) }];
    });
    this.paths = found.map(({ path }) => path);
    return found.length === 0 ? null : found.reduce((sum, { misses }) => sum + misses, 0);
  }

  private isCounted(): boolean {
    const release = this.host.tryReadText(this.host.proc('sys', 'kernel', 'osrelease'), FDINFO_BYTES) ?? '';
    const [, major, minor] = (/^(\d+)\.(\d+)/.exec(release) ?? []).map(Number);
    return major > FIRST_RELEASE.major || (major === FIRST_RELEASE.major && minor >= FIRST_RELEASE.minor);
  }

  private pathsIn(directory: string): readonly string[] {
    try {
      return this.host.list(directory).map((name) => `${directory}/${name}`);
    } catch {
      // It has just ended, or hides them.
      return [];
    }
  }
}
