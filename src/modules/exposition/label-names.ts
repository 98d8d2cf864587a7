import { Byte } from './bytes.js';
import type { ExpositionReader } from './exposition-reader.js';
import type { LabelRules } from './text-rules.js';

/** What a label of a sample is to the rules; a number from 0 on: the place of the one of ours that gives way to it. */
export const Kin = { ordinary: -1, refused: -2, renamed: -3 } as const;

/** A bit each, in a number. */
const MAX_YIELDING = 31;

/** Rules of labels, made ready for bytes. */
export class LabelNames {
  /** Rendered, of those that give way. */
  readonly yielding: readonly string[];
  private readonly kin: ReadonlyMap<string, number>;
  /** By first byte, a bit for each length: what is worth a look into the map. */
  private readonly lengths = new Uint32Array(256);

  constructor(readonly rules: LabelRules) {
    if (rules.yielding.size > MAX_YIELDING) throw new RangeError(`${rules.yielding.size} labels to be added, ${MAX_YIELDING} is the most`);
    this.yielding = [...rules.yielding.values()];
    this.kin = new Map<string, number>([
      ...[...rules.refused].map((name) => [name, Kin.refused] as const),
      ...[...rules.yielding.keys()].map((name, place) => [name, place] as const),
      ...(rules.renamed === undefined ? [] : [[rules.renamed, Kin.renamed] as const]),
    ]);
    for (const name of this.kin.keys()) this.lengths[name.charCodeAt(0)] |= bitOf(name.length);
  }

  /** Of the name that stands there. Two underscores are Prometheus' own, `__name__` and its like. */
  of(reader: ExpositionReader, from: number, length: number): number {
    const first = reader.body[from];
    if (first === Byte.underscore && reader.body[from + 1] === Byte.underscore) return Kin.refused;
    if (!(this.lengths[first] & bitOf(length))) return Kin.ordinary;
    return this.kin.get(reader.word(from, from + length)) ?? Kin.ordinary;
  }
}

/** Lengths of 32 and more share the bits of shorter ones, as the operator has it. */
const bitOf = (length: number): number => 1 << length;
