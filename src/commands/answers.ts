import { type CommandError, doesNotExist } from './command-error.js';

/** What a route of ours gives: its body, or the problem in its place. */
export type Answer = { readonly body: Buffer } | { readonly problem: Problem };

/** The members of a problem document that decide here. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
}

/** The REST routes, wherever they are answered: by a running agent, or inside this process. */
export interface Answers {
  /** What people can be told to look at; null where nothing listens. */
  readonly url: string | null;
  /** Who answers, for people; null where this process does. */
  readonly address: string | null;
  /** @param path with its query. @throws CommandError, NoAgentError */
  get(path: string): Promise<Answer>;
  /** Before the numbers of one instance are asked for: an agent has them, a reading of our own makes them first. @param overMs for rates */
  prepare(key: string, overMs: number): Promise<void>;
  /** Before it is asked what this host gives: an agent knows its configuration, a reading of our own has switched much of it off. */
  prepareSurvey(): Promise<void>;
  /** @throws always: for an answer that no vmgauge gives */
  strange(): never;
  /** @throws always: for a problem that the command has no word for */
  refused(problem: Problem): never;
}

export const instancePath = (id: string): string => `/instances/${encodeURIComponent(id)}`;

/** A JSON object, or undefined. */
export function objectIn(body: Buffer): object | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The problem in a body of ours; undefined for anything else. */
export function problemIn(status: number, body: Buffer): Problem | undefined {
  const document = objectIn(body) ?? {};
  const member = (name: string): unknown => Reflect.get(document, name);
  const [type, detail] = [member('type'), member('detail')];
  const code = typeof type === 'string' ? /^urn:vmgauge:problem:([a-z_]+)$/.exec(type)?.[1] : undefined;
  return code === undefined || typeof detail !== 'string' ? undefined : { status, code, detail };
}

/** No such instance: also for a key that no instance can have. */
export const missing = (id: string, { code }: Problem): CommandError | undefined =>
  code === 'not_found' || code === 'invalid_id' ? doesNotExist(id) : undefined;
