const MAX_LINES = 100;
const MAX_CHARACTERS = 200;
const OTHERS = '(others)';
const UNPRINTABLE = /[^\p{L}\p{N}\p{P}\p{S} ]/gu;

/** Lines for people about what a source left out, bounded in number and length whatever strangers name their files. */
export class Problems {
  readonly lines = new Map<string, string>();
  private unnamed = 0;

  /** @param line no content of a file: metadata may hold secrets */
  note(key: string, line: string): void {
    const where = printable(key);
    if (this.lines.has(where) || this.lines.size < MAX_LINES - 1) this.lines.set(where, printable(line));
    else this.lines.set(OTHERS, `${++this.unnamed} more`);
  }
}

const printable = (text: string): string => text.slice(0, MAX_CHARACTERS).replace(UNPRINTABLE, '?');

/** The text is no record. `message` may quote it, `problem` never does. */
export class MalformedError extends Error {
  constructor(
    readonly problem: string,
    message = problem,
  ) {
    super(message);
    this.name = 'MalformedError';
  }
}

/** What is wrong with a file, in words that hold nothing of what stands in it. */
export function describeError(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'the file is missing';
    case 'EACCES':
    case 'EPERM':
      return 'no permission to read the file';
    case 'ELOOP':
      return 'the file is a symlink';
    case 'EINVAL':
      return 'not a regular file';
    case 'EFBIG':
      return 'the file is too long';
    case 'EAGAIN':
      return 'the file grows while it is read';
    case 'ETIMEDOUT':
      return 'reading took too long';
    default:
      return `cannot be read (${typeof code === 'string' ? code : 'unexpected error'})`;
  }
}
