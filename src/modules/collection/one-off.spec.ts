import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { descriptorsHeld } from '../../host/held.js';
import { Settings } from '../../model/settings.js';
import { OneOff } from './one-off.js';

let proc: FakeProc;
let before: number;
const settings = new Settings();
beforeEach(() => {
  before = descriptorsHeld();
  proc = new FakeProc();
});
afterEach(() => {
  proc.close();
  expect(descriptorsHeld()).toBe(before);
});

describe('OneOff', () => {
  it('reads a process that no source lists, in the units of the document', async () => {
    proc.addProcess(7, { userTicks: 100 });
    const { values, collectors } = await new OneOff(proc.host(), settings).read({
      id: 'x',
      process: { pid: 7, startTicks: 271431 },
      memoryBytes: 1024,
      nics: [{ kind: 'tap', name: 'exptap0' }],
    });
    expect(values.get('cpu_seconds')).toBe(3.3);
    expect(values.get('memory_rss_bytes')).toBe(13894 * proc.host().pageBytes);
    expect(values.get('network_rx_bytes')).toBe(57782670);
    expect(values.get('network_tx_bytes')).toBe(1146410);
    expect(values.get('allocated_memory_bytes')).toBe(1024);
    expect(values.get('allocated_vcpus')).toBeNull();
    expect(values.get('cpu.wait_seconds')).toBe(0.086029);
    expect(collectors.get('cpu')).toEqual({ outcome: 'ok' });
    expect(collectors.get('pss')).toEqual({ outcome: 'absent', reason: 'not_configured' });
  });

  it.each([
    ['is not there', { pid: 8 }],
    ['is another one by now', { pid: 7, startTicks: 1 }],
  ])('gives nulls and reasons for a process that %s', async (_, process) => {
    proc.addProcess(7);
    const { values, collectors } = await new OneOff(proc.host(), settings).read({ id: 'x', process, vcpus: 2 });
    expect(values.get('cpu_seconds')).toBeNull();
    expect(values.get('allocated_vcpus')).toBe(2);
    expect(collectors.get('cpu')).toEqual({ outcome: 'absent', reason: 'gone' });
  });

  it('gives nulls for an instance without a process', async () => {
    const { values } = await new OneOff(proc.host(), settings).read({ id: 'x' });
    for (const [place, value] of values) if (!place.startsWith('collectors.')) expect(value).toBeNull();
  });

  it('leaves out collectors that are switched off', async () => {
    proc.addProcess(7);
    const off = Object.assign(new Settings(), { collectors: new Map([['cpu', false]]) });
    const { values, collectors } = await new OneOff(proc.host(), off).read({ id: 'x', process: { pid: 7 } });
    expect(values.get('cpu_seconds')).toBeNull();
    expect(collectors.get('cpu')).toEqual({ outcome: 'absent', reason: 'not_configured' });
    expect(collectors.get('memory')).toEqual({ outcome: 'ok' });
  });

  it('does not take numbers that no source may give', async () => {
    for (const amount of [Number.POSITIVE_INFINITY, Number.NaN, -1, 1.5, 1e300]) {
      const { values } = await new OneOff(proc.host(), settings).read({ id: 'x', vcpus: amount, memoryBytes: amount });
      expect([values.get('allocated_vcpus'), values.get('allocated_memory_bytes')]).toEqual([null, null]);
    }
  });
});
