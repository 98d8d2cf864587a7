/** A member of a document by its dotted path. @throws for one that is not there or is no number */
export function numberAt(document: unknown, path: string): number {
  const value = memberAt(document, path);
  if (typeof value !== 'number') throw new Error(`${path} is ${JSON.stringify(value)}`);
  return value;
}

export const memberAt = (document: unknown, path: string): unknown =>
  path
    .split('.')
    .reduce<unknown>((inner, word) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, word) : undefined), document);
