import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { Spawned } from '../../../test/spawned.js';
import { descriptorsHeld } from '../../host/held.js';
import { Host } from '../../host/host.js';
import { holdProcess } from '../procfs/held-process.js';
import { checkClaim } from './claims.js';

const spawned = new Spawned();
const host = new Host();
const anything = { isVmm: () => true, unknown: () => true };
const nothing = { isVmm: () => false, unknown: () => false };
const blind = { isVmm: () => false, unknown: () => true };
let pid: number;
let startTicks: number;
let before: number;
beforeAll(async () => {
  ({ pid } = await spawned.start(['sleep', '601.5']));
  const process = holdProcess(host, pid);
  ({ startTicks } = process);
  process.close();
});
afterAll(() => spawned.close());
beforeEach(() => {
  before = descriptorsHeld();
});
afterEach(() => {
  expect(descriptorsHeld()).toBe(before);
});

describe('checkClaim', () => {
  it('believes a pid with its start time, and a bare pid', async () => {
    const process = { pid, startTicks };
    expect(await checkClaim(host, { pid, startTicks }, nothing)).toEqual({ process });
    expect(await checkClaim(host, { pid }, nothing)).toEqual({ process });
  });

  it('refuses another start time: the pid has a new owner', async () => {
    expect(await checkClaim(host, { pid, startTicks: startTicks + 1 }, anything)).toEqual({ refused: 'other_process' });
  });

  it('refuses a pid that nobody has', async () => {
    const child = await spawned.start();
    await spawned.end(child);
    expect(await checkClaim(host, { pid: child.pid }, anything)).toEqual({ refused: 'gone' });
  });

  it('refuses a start time of another boot', async () => {
    expect(await checkClaim(host, { pid, startTicks, bootId: '00000000-0000-0000-0000-000000000000' }, anything)).toEqual({
      refused: 'gone',
    });
    expect(await checkClaim(host, { pid, startTicks, ...(host.bootId === null ? {} : { bootId: host.bootId }) }, anything)).toHaveProperty(
      'process',
    );
  });

  it('refuses a zombie', async () => {
    const proc = new FakeProc();
    proc.addProcess(7, { state: 'Z' });
    expect(await checkClaim(proc.host(), { pid: 7 }, anything)).toEqual({ refused: 'gone' });
    proc.close();
  });

  it('wants the argument that a claim names, unless the start time proves enough', async () => {
    expect(await checkClaim(host, { pid, argument: '601.5' }, nothing)).toHaveProperty('process');
    expect(await checkClaim(host, { pid, argument: '/run/other.sock' }, anything)).toEqual({ refused: 'other_process' });
    expect(await checkClaim(host, { pid, startTicks, argument: '/run/other.sock' }, nothing)).toHaveProperty('process');
  });

  it('wants a VMM where the claim says so; where that cannot be seen, another proof', async () => {
    expect(await checkClaim(host, { pid, mustBeVmm: true }, anything)).toHaveProperty('process');
    expect(await checkClaim(host, { pid, startTicks, mustBeVmm: true }, nothing)).toEqual({ refused: 'other_process' });
    expect(await checkClaim(host, { pid, mustBeVmm: true }, blind)).toEqual({ refused: 'other_process' });
    expect(await checkClaim(host, { pid, argument: '601.5', mustBeVmm: true }, blind)).toHaveProperty('process');
  });
});
