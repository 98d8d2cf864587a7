/** Ends a command with exit status 1; the message is one line for standard error, behind the program's name. */
export class CommandError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CommandError';
  }
}

/** A line that callers of `kata-runtime metrics` know: it stands alone on standard error, without the program's name. */
export class KataError extends CommandError {}

/** The text of the Kata documentation for whatever cannot be found under this id. */
export const doesNotExist = (id: string): KataError => new KataError(`Container ID (${id}) does not exist`);

/** No agent answers where one could; `note` says what answers there instead, null where nobody does. */
export class NoAgentError extends Error {
  constructor(readonly note: string | null) {
    super(note ?? 'no agent');
    this.name = 'NoAgentError';
  }
}
