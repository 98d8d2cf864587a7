import type { HeldProcess } from '../../model/process.js';
import type { Measure } from './measure.js';
import type { TracedProcess } from './traced-instance.js';
import { AMOUNTS, type Amount, type Latency } from './words.js';

/** What is known of a process without the program since it was first looked at; null where nobody has looked yet, or may not. */
export interface PlainSource {
  measureOf(process: HeldProcess): Measure | null;
}

/**
 * Adds what grew since the last look. After a time without looks, and after one in which the kernel side counted, be it for a part of it
 * in a life that has ended since, it only notes where everything stands: what happened meanwhile is known already, or by nobody.
 * @param round of the look; two in a row have numbers in a row
 * @param isOurs whether nobody else counts it
 * @returns whether anything that is shown changed
 */
export function takePlainly(traced: TracedProcess, measure: Measure, round: number, isOurs: (what: Latency | Amount) => boolean): boolean {
  const { ledger, plain, plainRound, instance } = traced;
  const isFirstOfAll = Number.isNaN(plainRound) && !instance.wasTold;
  const goesOn = isFirstOfAll || plainRound === round - 1;
  traced.plainRound = round;
  let isChanged = false;
  for (const amount of AMOUNTS) {
    const value = measure.amounts.get(amount);
    const isTold = ledger.hasGrown(amount);
    if (value !== undefined && plain.amount(amount, value, goesOn && !isTold && isOurs(amount))) isChanged = true;
  }
  const rtt = measure.timings.get('rtt');
  return (rtt !== undefined && isOurs('rtt') && plain.lastNanoseconds('rtt', rtt.lastNanoseconds)) || isChanged;
}
