import { createHash, timingSafeEqual } from 'node:crypto';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Bearer tokens of a file: one a line, `#` begins a comment line. */
export const parseTokens = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));

/** Compares digests, so that neither length nor first difference of a token can be measured. */
export class TokenSet {
  private digests: readonly Buffer[] = [];

  constructor(tokens: readonly string[] = []) {
    this.replace(tokens);
  }

  replace(tokens: readonly string[]): void {
    this.digests = tokens.map(digest);
  }

  get empty(): boolean {
    return this.digests.length === 0;
  }

  /** @param authorization the header's value: `Bearer <token>` */
  accepts(authorization: string | undefined): boolean {
    const token = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) return false;
    const given = digest(token);
    return this.digests.reduce((found, known) => timingSafeEqual(known, given) || found, false);
  }
}
