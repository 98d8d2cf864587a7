/** The middle one; of an even number the upper. */
export const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/**
 * Runs the contestants in turn, round by round, each round beginning with the next of them, so that whatever else the machine does, and
 * what one leaves behind for the one after it, falls on all of them.
 * @param contestants by name, each gives the cost of one turn
 * @returns costs by name, round by round; warm-up rounds left out
 */
export async function interleave(contestants, rounds, warmUp = 3) {
  const costs = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
  const turns = Object.entries(contestants);
  for (let round = -warmUp; round < rounds; round++) {
    const first = (round + warmUp) % turns.length;
    for (const [name, turn] of [...turns.slice(first), ...turns.slice(0, first)]) {
      const cost = await turn();
      if (round >= 0) costs[name].push(cost);
    }
  }
  return costs;
}

/** Median of the quotients of the same round. */
export const ratio = (over, under) => median(over.map((cost, round) => cost / under[round]));
