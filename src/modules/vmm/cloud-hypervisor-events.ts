import type { VmmEvent } from './answer.js';
import { fieldsOf, parseFields } from './json-fields.js';

/** An event has five lines of some 150 characters; the longest that upstream writes names a device. */
export const MAX_EVENT_CHARACTERS = 16_384;

/** event_monitor/src/lib.rs and its callers, as `source/event`. `guest/panic` has what happened in its properties: devices/src/pvpanic.rs. */
const EVENTS: Readonly<Record<string, VmmEvent>> = {
  'vm/booted': 'booted',
  'vm/rebooted': 'reset',
  'vm/shutdown': 'shutdown',
  'vm/paused': 'stop',
  'vm/resumed': 'resume',
  'vm/resized': 'resized',
  'vm/snapshotted': 'snapshotted',
  'vm/restored': 'restored',
  'vm/device-removed': 'device-deleted',
  'vm/migration-started': 'migration',
  'vm/migration-finished': 'migration',
  'vm/migration-failed': 'migration',
  'vm/migration-receive-started': 'migration',
  'vm/migration-receive-finished': 'migration',
  'vm/migration-receive-failed': 'migration',
};
const PANICS: Readonly<Record<string, VmmEvent>> = { panic: 'guest-panicked', crash_loaded: 'guest-crashloaded' };

/**
 * What `--event-monitor` writes, in whatever pieces it comes: pretty-printed JSON, each object from a `{` to a `}` at the beginning of a line,
 * empty lines between. One that is broken, or longer than the bound, costs itself.
 */
export class EventStream {
  /** What was no event: cut, too long, no JSON. */
  malformed = 0;
  private readonly counts = new Map<VmmEvent, number>();
  /** The line that is not whole yet. */
  private line = '';
  /** The object that is not whole yet; undefined between objects and behind one that was dropped. */
  private open: string | undefined;

  /** How often each happened, 0 for what did not. */
  count(event: VmmEvent): number {
    const seen = this.counts.get(event);
    return seen === undefined ? 0 : seen;
  }

  feed(piece: string): void {
    const lines = (this.line + piece).split('\n');
    this.line = lines.pop() ?? '';
    for (const line of lines) this.take(line);
    if (this.line.length > MAX_EVENT_CHARACTERS) {
      this.drop();
      // It is still no beginning of anything, wherever it ends.
      this.line = ' ';
    }
  }

  private take(line: string): void {
    if (line.startsWith('{')) {
      // Inside an object every line is indented: the one before has no end.
      if (this.open !== undefined) this.drop();
      this.open = '';
    }
    if (this.open === undefined) return;
    this.open += line;
    if (this.open.length > MAX_EVENT_CHARACTERS) this.drop();
    else if (line.startsWith('}') || (line.startsWith('{') && line.endsWith('}'))) this.close(this.open);
  }

  private drop(): void {
    if (this.open === undefined) return;
    this.malformed++;
    this.open = undefined;
  }

  private close(text: string): void {
    const event = parseFields(text);
    if (!event) this.malformed++;
    this.open = undefined;
    if (!event) return;
    const { source, event: name } = event;
    // A stranger's object cannot be made text: its `toString` may be anything.
    const words = typeof source === 'string' && typeof name === 'string' ? `${source}/${name}` : '';
    const known = words === 'guest/panic' ? lookUp(PANICS, panicIn(event.properties)) : lookUp(EVENTS, words);
    if (known !== undefined) this.counts.set(known, this.count(known) + 1);
  }
}

/** What a monitor tells always; that the guest panics only where it has a device to say so. */
export const ALWAYS_TOLD: readonly VmmEvent[] = [...new Set(Object.values(EVENTS))];
export const TOLD_BY_PANIC_DEVICE: readonly VmmEvent[] = Object.values(PANICS);

const lookUp = (events: Readonly<Record<string, VmmEvent>>, words: string): VmmEvent | undefined =>
  Object.hasOwn(events, words) ? events[words] : undefined;

function panicIn(properties: unknown): string {
  const event = fieldsOf(properties)?.event;
  return typeof event === 'string' ? event : '';
}
