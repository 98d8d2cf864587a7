/** What stands in a line besides maps. `other`: of no interest. `unreadable`: it is cut or garbage, or a number in it is nobody's. */
export type LineKind = 'map' | 'tick' | 'lost' | 'full' | 'missed' | 'other' | 'unreadable';

export interface ToldLine {
  readonly kind: LineKind;
  /** Events that were lost by its word. */
  readonly lost: number;
  /** Of `missed`: events that the kernel left out in this life. */
  readonly missed?: number;
  /** Maps that this kernel cannot fill although their block is on, as a tick says. */
  readonly lacks: readonly string[];
}

/** 2^63 and above is nobody's count: a number below zero, printed without its sign. */
export const LIMIT = 2 ** 63;
/** All other lines are short. */
const MAX_SHORT_LINE = 4096;
/** E2BIG of map_update_elem: no place is left in the map. */
const FULL = -7;

const TICK = /^tick \d+((?: -\w+)*)\s*$/;
const line = (kind: LineKind, lost = 0, lacks: readonly string[] = []): ToldLine => ({ kind, lost, lacks });
export const UNREADABLE = line('unreadable');
export const OTHER = line('other');
export const MAP = line('map');

/** An empty map is told as a blank line. */
export function readShort(text: string): ToldLine {
  if (text.length > MAX_SHORT_LINE) return UNREADABLE;
  if (text.trim() === '') return OTHER;
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    return UNREADABLE;
  }
  if (typeof told !== 'object' || told === null || !('type' in told)) return UNREADABLE;
  switch (told.type) {
    case 'printf':
      return 'data' in told && typeof told.data === 'string' ? tickIn(told.data) : OTHER;
    case 'lost_events':
      return line('lost', 'data' in told ? eventsOf(told.data) : 1);
    case 'missed_events': {
      const missed = 'data' in told ? countOf(told.data) : null;
      return missed === null ? UNREADABLE : { ...line('missed'), missed };
    }
    case 'runtime_error':
    case 'helper_error':
      return 'retcode' in told && told.retcode === FULL ? line('full', 1) : line('lost', 1);
    default:
      return OTHER;
  }
}

function tickIn(text: string): ToldLine {
  const lacks = TICK.exec(text)?.[1];
  return lacks === undefined ? OTHER : line('tick', 0, lacks.split(' -').slice(1));
}

/** A word about loss that cannot be read is still about a loss. */
const eventsOf = (data: unknown): number => countOf(data) || 1;

function countOf(data: unknown): number | null {
  const events = typeof data === 'object' && data !== null && 'events' in data ? data.events : undefined;
  return typeof events === 'number' && events >= 0 && events < LIMIT ? Math.floor(events) : null;
}
