import type { Subject } from '../../model/collector.js';
import type { Metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import type { Column, Table } from '../../model/table.js';
import type { Told, VmmAnswer } from './answer.js';

/** What a topic's collector needs of the asker. */
export interface Answers {
  answer(subject: Subject): VmmAnswer | null;
}

/** Whether this VMM said anything lately: one that did not has no topics, and the collector `vmm` alone says why. */
export const hasAnswered = (asker: Answers | undefined, subject: Subject): boolean => (asker?.answer(subject) ?? null) !== null;

/** What the VMM last said of a topic, or why it said nothing. */
export function topic<T extends object>(asker: Answers | undefined, subject: Subject, of: (answer: VmmAnswer) => Told<T>): Told<T> {
  if (!subject.process) return Outcome.gone;
  const answer = asker?.answer(subject);
  return answer ? of(answer) : Outcome.notConfigured;
}

/** From here on a VMM means that it knows no number. */
const NO_NUMBER = 2 ** 63;

/** A number as it was told; NaN for what is none: missing, negative, endless, or a sentinel that a dialogue let pass. */
export const told = (value: number | undefined): number =>
  value !== undefined && value >= 0 && value < NO_NUMBER ? Math.round(value) : Number.NaN;

/** Columns for the numbers of one topic, under the words of the answer. A word that has no metric is not published. */
export class TopicCells<Word extends string> {
  readonly metrics: readonly Metric[];
  readonly columns: readonly Column[];
  private readonly words: readonly Word[];

  constructor(table: Pick<Table<unknown>, 'column'>, metrics: Readonly<Record<Word, Metric>>) {
    // Object.keys forgets the keys' names; they are those of `metrics`.
    this.words = Object.keys(metrics) as Word[];
    this.metrics = this.words.map((word) => metrics[word]);
    this.columns = this.metrics.map((one) => table.column(one));
  }

  /** Fills the cells of the row, with nothing where nothing is told. @returns ok, or unsupported where no number was told at all */
  put(row: number, numbers: Readonly<Partial<Record<Word, number>>>): Outcome {
    const { words, columns } = this;
    let outcome: Outcome = Outcome.unsupported;
    for (let i = 0; i < words.length; i++) {
      const value = told(numbers[words[i]]);
      columns[i].back[row] = value;
      if (!Number.isNaN(value)) outcome = Outcome.ok;
    }
    return outcome;
  }
}
