/** Errors of the host layer carry an errno word, as the system's own do, so that one mapping (model/outcome.ts) serves both. */
export class HostError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'HostError';
  }
}
