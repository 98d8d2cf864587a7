import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeSwitch, hex, wire, withXid } from '../../../../test/fake-switch.js';
import { recorded } from '../../../../test/openflow-recorded.js';
import { FlowMonitor, FlowTally } from './openflow-monitor.js';

const PATIENT_MS = 20_000;
const LIMITS = { deadlineMs: PATIENT_MS, answerBytes: 1 << 20 };
const PAUSED = wire(1, 4, 0, hex('00002320 00000016'));
const RESUMED = wire(1, 4, 0, hex('00002320 00000017'));

let directory: string;
let path: string;
let fake: FakeSwitch;
let tally: FlowTally;
const monitors: FlowMonitor[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-monitor-'));
  path = join(directory, 'br-int.mgmt');
  fake = await FakeSwitch.listen(path);
  fake.reply = ({ type, xid }) => (type === 2 ? wire(1, 3, xid) : withXid(recorded('flowMonitor'), xid));
  tally = new FlowTally();
});
afterEach(async () => {
  for (const monitor of monitors.splice(0)) monitor.close();
  await fake.close();
  rmSync(directory, { recursive: true, force: true });
});

async function open(limits = LIMITS): Promise<FlowMonitor> {
  const monitor = await FlowMonitor.open(path, tally, limits);
  monitors.push(monitor);
  return monitor;
}

describe('the tally of flows', () => {
  it('counts what the switch tells, from 0 on', async () => {
    const monitor = await open();
    expect(tally).toMatchObject({ added: 0, deleted: 0, modified: 0, missed: 0 });
    for (let i = 0; i < 3; i++) fake.say(recorded('flowUpdates'));
    await monitor.check(PATIENT_MS);
    expect(tally).toMatchObject({ added: 3, deleted: 3, modified: 3, missed: 0 });
  });

  it('says when changes were missed: in a pause, and when they are only summed up', async () => {
    const monitor = await open();
    fake.say(Buffer.concat([PAUSED, RESUMED, recorded('flowUpdates')]));
    await monitor.check(PATIENT_MS);
    expect(tally).toMatchObject({ added: 1, missed: 1 });
    fake.say(wire(1, 17, 0, hex('ffff 0000 00002320 00000002 00000000 0008 0003 00000009')));
    await monitor.check(PATIENT_MS);
    expect(tally).toMatchObject({ added: 1, missed: 2 });
  });

  it('goes on with the next connection, and says that there was a gap', async () => {
    const first = await open();
    fake.say(recorded('flowUpdates'));
    await first.check(PATIENT_MS);
    fake.hangUp();
    await expect(first.check(PATIENT_MS)).rejects.toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) });
    expect([first.isOpen, tally.missed]).toEqual([false, 0]);
    const second = await open();
    fake.say(recorded('flowUpdates'));
    await second.check(PATIENT_MS);
    expect(tally).toMatchObject({ added: 2, deleted: 2, modified: 2, missed: 1 });
  });

  it('passes over packets, other vendors and other statistics', async () => {
    const monitor = await open();
    fake.say(Buffer.concat([wire(1, 10, 0, hex('aa')), wire(1, 4, 0, hex('00000001 00000016')), wire(1, 17, 0, hex('0003 0000'))]));
    await monitor.check(PATIENT_MS);
    expect(tally).toMatchObject({ added: 0, deleted: 0, modified: 0, missed: 0 });
  });
});

describe('a flow monitor', () => {
  it('is not there where the switch has none, and leaves no connection', async () => {
    fake.reply = ({ xid }) => wire(1, 1, xid, hex('0001 0004'));
    await expect(open()).rejects.toMatchObject({ code: 'EOPNOTSUPP' });
    const end = Date.now() + PATIENT_MS;
    while (fake.connections > 0 && Date.now() < end) await pause(2);
    expect(fake.connections).toBe(0);
    expect(tally.missed).toBe(0);
  });

  it.each([
    ['an update of no length', wire(1, 17, 0, hex('ffff 0000 00002320 00000002 00000000 0000 0000 00000000'))],
    ['an update beyond the end', wire(1, 17, 0, hex('ffff 0000 00002320 00000002 00000000 0100 0000 00000000'))],
    ['another vendor’s statistics', wire(1, 17, 0, hex('ffff 0000 00000001 00000002 00000000'))],
    ['a vendor without a name', wire(1, 4, 0)],
  ])('ends at %s: the tally would be wrong after it', async (_, bytes) => {
    const monitor = await open();
    fake.say(bytes);
    await expect(monitor.check(PATIENT_MS)).rejects.toMatchObject({ code: 'EBADMSG' });
    expect(monitor.isOpen).toBe(false);
  });

  it('hears a bounded number of bytes from one check to the next', async () => {
    const updates = Buffer.concat(Array(40).fill(recorded('flowUpdates')));
    const monitor = await open({ ...LIMITS, answerBytes: updates.length + 1000 });
    for (let i = 1; i <= 3; i++) {
      fake.say(updates);
      await monitor.check(PATIENT_MS);
      expect(tally.added).toBe(40 * i);
    }
    for (let i = 0; i < 3; i++) fake.say(updates);
    await expect(monitor.check(PATIENT_MS)).rejects.toMatchObject({ code: 'EFBIG' });
  });
});
