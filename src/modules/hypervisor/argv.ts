/** argv is a stranger's: only so many words of it are looked at. libvirt's longest command lines have a few hundred. */
const MAX_WORDS = 4096;

/** Options that argv spells out, without their dashes, each with its values in order. An option without a value has ''. */
export interface CommandLine {
  readonly options: ReadonlyMap<string, readonly string[]>;
  /** False when argv could not be read or only its beginning was looked at: what is missing here may still have been given. */
  readonly complete: boolean;
}

/** Values that a tenant may choose: taken as they are even where they begin with a dash. */
const FREE_TEXT: ReadonlySet<string> = new Set(['append', 'name', 'kernel', 'initrd']);
const QEMU_OPTION = /^--?([A-Za-z].*)$/s;
const LONG_OPTION = /^--?([A-Za-z][^=]*)(?:=(.*))?$/s;

/** QEMU's way: one or two dashes, then at most one value in the next word. Words that belong to no option are disk images. */
export function parseQemuWords(argv: readonly string[]): CommandLine {
  const options = new Map<string, string[]>();
  const end = Math.min(argv.length, MAX_WORDS);
  for (let i = 1; i < end; i++) {
    const name = QEMU_OPTION.exec(argv[i])?.[1];
    if (name === undefined) continue;
    const takesNext = i + 1 < end && (FREE_TEXT.has(name) || !QEMU_OPTION.test(argv[i + 1]));
    valuesIn(options, name).push(takesNext ? argv[++i] : '');
  }
  return { options, complete: isComplete(argv) };
}

/** The way of clap, Firecracker's parser and Go's flag package: `--name value...` or `--name=value`, up to a bare `--`. */
export function parseLongWords(argv: readonly string[]): CommandLine {
  const options = new Map<string, string[]>();
  let values: string[] | undefined;
  for (const word of argv.slice(1, MAX_WORDS)) {
    if (word === '--') break;
    const option = LONG_OPTION.exec(word);
    if (!option) {
      values?.push(word);
      continue;
    }
    values = valuesIn(options, option[1]);
    if (option[2] !== undefined) values.push(option[2]);
  }
  return { options, complete: isComplete(argv) };
}

export const valuesOf = ({ options }: CommandLine, name: string): readonly string[] => options.get(name) ?? [];

/** The value that counts where an option stands more than once. */
export const lastValueOf = (line: CommandLine, name: string): string | undefined => valuesOf(line, name).at(-1);

export const hasAny = ({ options }: CommandLine, names: readonly string[]): boolean => names.some((name) => options.has(name));

function valuesIn(options: Map<string, string[]>, name: string): string[] {
  const known = options.get(name);
  if (known) return known;
  const values: string[] = [];
  options.set(name, values);
  return values;
}

/** /proc/<pid>/cmdline of a process without arguments reads as one empty word. */
const isComplete = (argv: readonly string[]): boolean => argv.length <= MAX_WORDS && argv.some((word) => word !== '');
