import { describe, expect, it } from 'vitest';
import { recordedCatalog } from '../../../../test/kernel-catalog.js';
import { preemptedState } from './cpu.js';

const printed = (states: readonly string[]): string =>
  `"prev_state=%s", (REC->prev_state & ((((${states.join(' | ')}) + 1) << 1) - 1)) ? __print_flags(REC->prev_state & 1, "|") : "R"`;

describe('preemptedState', () => {
  it.each([
    ['as recorded', recordedCatalog().format('sched/sched_switch')?.print ?? '', 0x100],
    ['with short numbers', printed(['0x0000', '0x0001', '0x0002', '0x0004', '0x0008', '0x0010', '0x0020', '0x0040']), 0x100],
    ['with another state', printed(['0x00', '0x01', '0x02', '0x04', '0x08', '0x10', '0x20', '0x40', '0x80']), 0x200],
    ['in another way', '"prev_state=%d"', 0x100],
    ['not at all', '', 0x100],
  ])('is taken from how the state is printed: %s', (_, print, state) => {
    expect(preemptedState(print)).toBe(state);
  });
});
