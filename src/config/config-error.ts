/** Stops the start. The message is one line that names the setting, the value and where it came from. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

const SHOWN_CHARACTERS = 80;

/** A value inside an error line: quoted, with line breaks escaped, cut when it is long. */
export function quoted(value: string): string {
  return JSON.stringify(value.length > SHOWN_CHARACTERS ? `${value.slice(0, SHOWN_CHARACTERS)}…` : value);
}

/** The system's error word where there is one: its message repeats the path. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message.replace(/\s+/g, ' ');
}
