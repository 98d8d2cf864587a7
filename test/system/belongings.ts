/** What a test made on the host, to be unmade in reverse order whatever happened in between. */
export class Belongings {
  private readonly ends: (() => unknown)[] = [];

  /** @param end may be called after a failure half-way, so it must not mind what is gone already */
  own(end: () => unknown): void {
    this.ends.push(end);
  }

  /** @throws AggregateError of what went wrong, after everything was tried */
  async release(): Promise<void> {
    const errors: unknown[] = [];
    for (let end = this.ends.pop(); end; end = this.ends.pop()) {
      try {
        await end();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, errors.map(String).join('; '));
  }
}
