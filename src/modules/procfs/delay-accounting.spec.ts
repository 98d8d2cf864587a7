import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeProc, statLine } from '../../../test/fake-proc.js';
import { errno } from '../../../test/fake-process.js';
import { Outcome } from '../../model/outcome.js';
import { delayAccounting } from './delay-accounting.js';

const SWITCH = 'sys/kernel/task_delayacct';

let proc: FakeProc;
beforeEach(() => {
  proc = new FakeProc();
});
afterEach(() => proc.close());

/** The recorded line with a delay of so many ticks. */
function initLine(ticks: number): string {
  const fields = statLine({ pid: 1, comm: 'init' }).split(' ');
  fields[41] = String(ticks);
  return fields.join(' ');
}

it.each([
  ['1\n', Outcome.ok],
  ['0\n', Outcome.notConfigured],
  ['', Outcome.malformed],
  ['1', Outcome.malformed],
  ['2\n', Outcome.malformed],
  ['10\n', Outcome.malformed],
  ['x\n', Outcome.malformed],
  ['1'.repeat(100), Outcome.tooLarge],
])('a switch that says %j', (text, expected) => {
  proc.write(SWITCH, text);
  proc.write('1/stat', initLine(7));
  expect(delayAccounting(proc.host())).toBe(expected);
});

it('without a switch a delay of init shows that the kernel counts; that it has none shows nothing', () => {
  proc.write('1/stat', initLine(7));
  expect(delayAccounting(proc.host())).toBe(Outcome.ok);
  proc.write('1/stat', initLine(0));
  expect(delayAccounting(proc.host())).toBe(Outcome.unsupported);
});

it.each(['', 'x', initLine(7).slice(0, -1)])('without a switch an init that says %j shows nothing', (text) => {
  proc.write('1/stat', text);
  expect(delayAccounting(proc.host())).toBe(Outcome.unsupported);
});

it('without a switch and without an init nobody can tell', () => {
  expect(delayAccounting(proc.host())).toBe(Outcome.unsupported);
});

it.each([
  ['EACCES', Outcome.notPermitted],
  ['EMFILE', Outcome.busy],
  ['EIO', Outcome.ioError],
] as const)('a switch that cannot be read for %s', (code, expected) => {
  const host = proc.host();
  host.readText = () => {
    throw errno(code);
  };
  expect(delayAccounting(host)).toBe(expected);
});
