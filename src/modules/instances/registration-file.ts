import { LineCounter, parseDocument } from 'yaml';
import { checkFields } from './check-fields.js';
import { MalformedError } from './problems.js';
import { RegistrationEntry } from './registration.js';

export const MAX_ENTRIES = 50_000;
/** References to anchors, counted as they multiply: YAML's billion laughs. */
const MAX_ALIASES = 100;

/**
 * The entries of a registration file, not yet looked at: `instances:` and below it a list. JSON is read by the engine; YAML costs half a
 * second of the event loop per megabyte.
 * @throws MalformedError
 */
export function parseRegistrations(text: string, format: 'json' | 'yaml'): readonly unknown[] {
  const document = format === 'json' ? parseJson(text) : parseYaml(text);
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new MalformedError('must be an object with the list `instances`');
  }
  const stray = Object.keys(document).find((key) => key !== 'instances');
  if (stray !== undefined) throw new MalformedError('unknown key at the top', `unknown key ${JSON.stringify(stray)} at the top`);
  const list: unknown = Reflect.get(document, 'instances');
  // A null here is also what is left of a file that was cut after the word.
  if (!Array.isArray(list)) throw new MalformedError('`instances` must be a list; an empty one is []');
  if (list.length > MAX_ENTRIES) throw new MalformedError(`more than ${MAX_ENTRIES} instances`);
  return list;
}

/** Validates entries one after the other and refuses an id that it has seen. */
export class EntryReader {
  private readonly ids = new Map<string, number>();

  /** @throws MalformedError that names the entry's index */
  read(value: unknown, index: number): RegistrationEntry {
    const where = `instances[${index}]`;
    try {
      const entry = checkFields(new RegistrationEntry(), value);
      const first = this.ids.get(entry.id);
      if (first !== undefined)
        throw new MalformedError(`the same id as instances[${first}]`, `id ${entry.id} is that of instances[${first}]`);
      this.ids.set(entry.id, index);
      return entry;
    } catch (error) {
      if (error instanceof MalformedError) throw new MalformedError(`${where}: ${error.problem}`, `${where}: ${error.message}`);
      throw error;
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // Only the place, which not every message has: the rest quotes the text.
    const place = /\(line \d+ column \d+\)/.exec(error instanceof Error ? error.message : '')?.[0];
    throw new MalformedError(place === undefined ? 'not JSON' : `not JSON ${place}`);
  }
}

function parseYaml(text: string): unknown {
  // YAML 1.2 holds JSON, but the engine reads that a hundred times faster.
  if (text.trimStart().startsWith('{')) {
    try {
      return JSON.parse(text);
    } catch {
      // A flow mapping with YAML's freedoms.
    }
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { prettyErrors: false, logLevel: 'error', lineCounter: lines });
  const [error] = document.errors;
  if (error) throw new MalformedError(`not YAML (line ${lines.linePos(error.pos[0]).line}: ${error.code})`);
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch {
    throw new MalformedError('not YAML that can be unfolded: too many aliases, or one without an anchor');
  }
}
