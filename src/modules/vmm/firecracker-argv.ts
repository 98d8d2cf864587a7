import { fieldsOf, parseFields, textOf } from './json-fields.js';

const MAX_WORDS = 4096;
const PATH_LIMIT = 4096;

/** Files that a Firecracker's command line names, as it names them itself: in its root, or relative to its cwd. */
export interface NamedFiles {
  readonly metrics?: string;
  readonly configuration?: string;
}

/** @param cmdline /proc/<pid>/cmdline, words end in NUL. Of an option that stands twice Firecracker would not start. */
export function parseNamedFiles(cmdline: string): NamedFiles {
  const words = cmdline.split('\0', MAX_WORDS);
  // What follows `--` is the jailer's, for the program it starts.
  const end = words.indexOf('--');
  const options = end < 0 ? words : words.slice(0, end);
  const wordAfter = (option: string): string | undefined => {
    const at = options.indexOf(option);
    return at < 0 ? undefined : textOf(options[at + 1], PATH_LIMIT);
  };
  const metrics = wordAfter('--metrics-path');
  const configuration = wordAfter('--config-file');
  return { ...(metrics !== undefined && { metrics }), ...(configuration !== undefined && { configuration }) };
}

/** Where a configuration file sends metrics; undefined where it does not say. */
export const parseMetricsPath = (text: string): string | undefined =>
  textOf(fieldsOf(parseFields(text)?.metrics)?.metrics_path, PATH_LIMIT);
