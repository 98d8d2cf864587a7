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
