import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALL_RIGHTS, NO_RIGHTS, ProbeHost, statusOf, stepsOf } from '../../../test/probe-host.js';
import { Outcome } from '../../model/outcome.js';
import { DIALOGUES } from '../vmm/dialogues.js';
import type { ProbeTools } from './probe-tools.js';
import { vmmSockets } from './sockets.probe.js';

/** CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, which are enough to read everything. */
const READERS = '0000000000080004';
let host: ProbeHost;
beforeEach(() => {
  host = new ProbeHost();
});
afterEach(() => host.close());

const be = (uid: number, capabilities: string): void => host.proc.write('self/status', statusOf(uid, capabilities));
const tools = (asked: Readonly<Record<string, Outcome | null>> = {}): ProbeTools => ({
  ...host.tools,
  asker: host.askerOf(asked),
  dialogues: DIALOGUES,
});
async function addQemu(id: string, pid: number, uid: number): Promise<void> {
  await host.addVm(id, pid, { sockets: [`/run/vmgauge/vmgauge-${id}.sock`] });
  host.proc.write(`${pid}/status`, statusOf(uid, NO_RIGHTS));
}

describe('sockets of VMMs', () => {
  it('are open to who may write everything', async () => {
    be(0, ALL_RIGHTS);
    await addQemu('one', 100, 64055);
    expect(await vmmSockets.find(tools())).toEqual({
      outcome: Outcome.ok,
      detail: 'root with CAP_DAC_OVERRIDE may connect to the sockets of all VMMs',
    });
  });

  it('are not open to who may read everything, where they are another user’s and nobody tried', async () => {
    be(990, READERS);
    await addQemu('own', 100, 990);
    await addQemu('theirs', 200, 0);
    const finding = await vmmSockets.find(tools());
    expect(finding).toMatchObject({ outcome: Outcome.notPermitted, need: 'optional', affects: ['theirs'] });
    expect(finding.detail).toMatch(/^1 of 2 VMMs with a socket for this agent runs as another user: user 990 without CAP_DAC_OVERRIDE /);
    expect(stepsOf(finding)).toEqual(
      expect.arrayContaining([
        'AmbientCapabilities=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE',
        '--user=0 --cap-add=SYS_PTRACE --cap-add=DAC_READ_SEARCH --cap-add=DAC_OVERRIDE',
        'chgrp AGENT_GROUP SOCKET',
        'chmod g+w SOCKET',
      ]),
    );
  });

  it('are what their answers say, whoever they belong to', async () => {
    be(990, READERS);
    await addQemu('one', 100, 0);
    await addQemu('two', 200, 0);
    expect(await vmmSockets.find(tools({ one: Outcome.ok, two: Outcome.timeout }))).toMatchObject({ outcome: Outcome.ok });
    expect(await vmmSockets.find(tools({ one: Outcome.ok, two: null }))).toMatchObject({ need: 'optional', affects: ['two'] });
    const finding = await vmmSockets.find(tools({ one: Outcome.ok, two: Outcome.notPermitted }));
    expect(finding).toMatchObject({ outcome: Outcome.notPermitted, need: 'required', affects: ['two'] });
    expect(finding.detail).toBe('user 990 without CAP_DAC_OVERRIDE was refused at 1 of 2 sockets of VMMs');
    expect(stepsOf(finding)).toContain('AmbientCapabilities=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE');
  });

  it('that refuse who may write everything want another look', async () => {
    be(0, ALL_RIGHTS);
    await addQemu('one', 100, 0);
    const finding = await vmmSockets.find(tools({ one: Outcome.notPermitted }));
    expect(finding).toMatchObject({ outcome: Outcome.notPermitted, need: 'required' });
    expect(stepsOf(finding)[0]).toBe('ss -xlp | grep pid=100,');
  });

  it('are open to the user whose VMMs they all are', async () => {
    be(990, NO_RIGHTS);
    await addQemu('one', 100, 990);
    expect(await vmmSockets.find(tools())).toMatchObject({ outcome: Outcome.ok });
  });

  it('are asked for by nobody where no VMM has one for this agent, as far as that can be seen', async () => {
    be(990, READERS);
    await host.addVm('without', 100);
    await host.addVm('of-another', 200, { sockets: ['/run/libvirt/qemu/x.monitor'] });
    const finding = await vmmSockets.find(tools());
    expect(finding).toMatchObject({ outcome: Outcome.gone, need: 'none', detail: 'no VMM has a socket for this agent' });
    host.refuse(3, 10);
    expect(await vmmSockets.find(tools())).toMatchObject({ outcome: Outcome.notPermitted, need: 'none' });
    host.house.settings.qmpMode = 'off';
    await addQemu('off', 300, 0);
    expect(await vmmSockets.find(tools())).toMatchObject({ outcome: Outcome.gone, affects: [] });
  });

  it('are nobody’s business where the procfs does not know this agent', async () => {
    await addQemu('one', 100, 0);
    expect(await vmmSockets.find(tools())).toMatchObject({ outcome: Outcome.gone, need: 'none' });
  });
});
