import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALL_RIGHTS, ProbeHost, statusOf, stepsOf } from '../../../test/probe-host.js';
import { Outcome, outcomeWords } from '../../model/outcome.js';
import type { Dialogue } from '../vmm/dialogue.js';
import type { ProbeTools } from './probe-tools.js';
import { qmp } from './vmm.probe.js';

let host: ProbeHost;
/** By id of the instance. */
let standings: Map<string, Outcome>;
beforeEach(() => {
  host = new ProbeHost();
  standings = new Map();
});
afterEach(() => host.close());

const dialogue: Dialogue = {
  name: 'qmp',
  hypervisor: 'qemu',
  standing: ({ id }) => standings.get(id) ?? Outcome.ok,
  begin: () => expect.fail('nobody is asked'),
};
const tools = (): ProbeTools => ({ ...host.tools, dialogues: [dialogue] });

describe('monitors of QEMU', () => {
  it('that do not answer are told by name and reason, and are to be repaired by reason', async () => {
    for (const [i, id] of ['one', 'two', 'three', 'four', 'five'].entries()) await host.addVm(id, 100 + i);
    standings.set('five', Outcome.unsupported);
    const asker = host.askerOf({ one: Outcome.ok, two: Outcome.malformed, three: Outcome.notConfigured, four: Outcome.malformed });
    const finding = await qmp.find({ ...tools(), asker });
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured, need: 'required', affects: ['five', 'four', 'three', 'two'] });
    expect(finding.detail).toBe(
      '4 of 5 running QEMUs have a door for this agent; 3 do not answer: four (malformed), three (not_configured), two (malformed)',
    );
    expect(finding).toMatchObject({
      fix: { text: expect.stringMatching(/^not_configured: The file .* malformed: .*-qmp-pretty.* For those without a door: Give QEMU/) },
    });
    expect(stepsOf(finding)).toEqual(expect.arrayContaining(["tr '\\0' ' ' < /proc/102/cmdline", 'ss -xlp | grep pid=102,']));
    expect(stepsOf(finding).some((line) => line.startsWith('-qmp unix:'))).toBe(true);
  });

  it.each([
    [Outcome.timeout, 'required', 'ps -L -o tid,stat,wchan:32,comm -p 100'],
    [Outcome.busy, 'required', 'ss -xp | grep pid=100,'],
    [Outcome.notPermitted, 'required', 'chmod g+w SOCKET'],
    [Outcome.malformed, 'required', "tr '\\0' ' ' < /proc/100/cmdline"],
    [Outcome.ioError, 'required', 'journalctl --unit=vmgauge | grep "VMM of one"'],
    [Outcome.migrating, 'optional', 'journalctl --unit=vmgauge | grep "VMM of one"'],
  ] as const)('that end with %s are %s, with a line for that', async (outcome, need, line) => {
    await host.addVm('one', 100, { sockets: ['/run/vmgauge.sock'] });
    host.proc.write('self/status', statusOf(990, '0000000000080004'));
    const finding = await qmp.find({ ...tools(), asker: host.askerOf({ one: outcome }) });
    expect(finding).toMatchObject({ outcome, need, affects: ['one'] });
    expect(finding.detail).toContain(`; 1 does not answer: one (${outcomeWords(outcome).reason})`);
    expect(stepsOf(finding)).toContain(line);
  });

  it('that are only borrowed may be somebody else’s for a while', async () => {
    await host.addVm('one', 100, { sockets: ['/run/theirs.sock'] });
    host.house.settings.qmpMode = 'opportunistic';
    const asker = host.askerOf({ one: Outcome.busy });
    expect(await qmp.find({ ...tools(), asker })).toMatchObject({ outcome: Outcome.busy, need: 'optional', affects: ['one'] });
  });

  it('that refuse whoever may write everything are no matter of rights', async () => {
    await host.addVm('one', 100);
    host.proc.write('self/status', statusOf(0, ALL_RIGHTS));
    const finding = await qmp.find({ ...tools(), asker: host.askerOf({ one: Outcome.notPermitted }) });
    expect(stepsOf(finding)).toEqual(['ss -xlp | grep pid=100,', 'journalctl --dmesg | grep -E "apparmor|avc:"']);
  });

  it('of very many that do not answer are named in part', async () => {
    const ids = Array.from({ length: 7 }, (_, i) => `vm-${i}`);
    for (const [i, id] of ids.entries()) await host.addVm(id, 100 + i);
    const asker = host.askerOf(Object.fromEntries(ids.map((id) => [id, Outcome.timeout])));
    const { detail } = await qmp.find({ ...tools(), asker });
    expect(detail).toMatch(/; 7 do not answer: vm-0 \(timeout\), .*, vm-4 \(timeout\), and 2 more$/);
  });
});
