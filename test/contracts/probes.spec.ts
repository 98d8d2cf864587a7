import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { outcomeWords } from '../../src/model/outcome.js';
import { NEEDS, PLACES, type Probe } from '../../src/modules/capabilities/capability.js';
import { documentOf } from '../../src/modules/capabilities/document.js';
import { type Probed, Prober } from '../../src/modules/capabilities/prober.js';
import { PROBES } from '../../src/modules/capabilities/probes.js';
import { COLLECTORS } from '../../src/modules/collection/collectors.js';
import { HOST_COLLECTORS } from '../../src/modules/collection/host-collectors.js';
import { oneLine, ProbeHost } from '../probe-host.js';

const ROOM = join(import.meta.dirname, '../../src/modules/capabilities');
/** Longer than any look at files takes; what hangs is waited for no longer than the other. */
const LONG_MS = 60_000;
const SHORT_MS = 20;
const isProbe = (value: unknown): value is Probe => typeof value === 'object' && value !== null && 'find' in value && 'gives' in value;

describe('THE LIST of probes', () => {
  it('holds every probe of every *.probe.ts once, each with a name of its own', async () => {
    const files = readdirSync(ROOM).filter((file) => file.endsWith('.probe.ts'));
    const modules = await Promise.all(files.map((file) => import(join(ROOM, file))));
    const members = modules.flatMap((module) => Object.values(module).flatMap((member) => (Array.isArray(member) ? member : [member])));
    expect(new Set(members.filter(isProbe))).toEqual(new Set(PROBES));
    expect(new Set(PROBES.map(({ name }) => name)).size).toBe(PROBES.length);
  });

  it('names collectors that exist', () => {
    const known: readonly string[] = [...COLLECTORS, ...HOST_COLLECTORS].map(({ about }) => about.name);
    expect(PROBES.flatMap(({ collectors }) => collectors).filter((name) => !known.includes(name))).toEqual([]);
  });
});

describe('every probe of THE LIST', () => {
  let host: ProbeHost;
  let defects: unknown[];
  const survey = async (deadlineMs = LONG_MS): Promise<readonly Probed[]> => {
    const { probed } = await new Prober(host.tools, PROBES, (name, error) => defects.push(name, error), deadlineMs).survey();
    expect(probed.map(({ probe }) => probe)).toEqual(PROBES);
    return probed;
  };
  beforeEach(() => {
    host = new ProbeHost();
    defects = [];
  });
  afterEach(async () => {
    expect(defects).toEqual([]);
    await host.close();
  });

  it('has a name, a sentence and a need', () => {
    for (const { name, gives, need } of PROBES) {
      expect(name).toMatch(/^[a-z]+(_[a-z]+)*$/);
      expect(gives, name).toMatch(/^[^\n]*[^.\n]$/);
      expect(NEEDS, name).toContain(need);
    }
  });

  it('finds something on a host where nothing is', async () => {
    (await survey()).forEach(expectSound);
  });

  it('finds something on a host with VMs', async () => {
    await addVms();
    (await survey()).forEach(expectSound);
  });

  it.each(['EACCES', 'EPERM', 'EIO', 'ESTALE', 'EOPNOTSUPP', 'EMFILE'] as const)(
    'takes %s from everywhere for a finding',
    async (trouble) => {
      await addVms();
      host.spoil(/./, trouble);
      (await survey()).forEach(expectSound);
    },
  );

  it('settles by its deadline when every look hangs, and has failed if it looked', async () => {
    await addVms();
    host.spoil(/./, 'hangs');
    for (const probe of PROBES) {
      host.looked.length = 0;
      const { probed } = await new Prober(host.tools, [probe], (_, error) => defects.push(error), SHORT_MS).survey();
      probed.forEach(expectSound);
      const words = outcomeWords(probed[0].finding.outcome);
      if (host.looked.length > 0) expect(words, probe.name).toEqual({ outcome: 'failed', reason: 'timeout' });
    }
  });

  it('is in the document with closed words', async () => {
    const { capabilities } = documentOf({ madeMs: 0, probed: await survey() }, host.tools.collectors);
    expect(capabilities.map(({ name }) => name)).toEqual(PROBES.map(({ name }) => name));
    for (const { name, status, reason } of capabilities) {
      expect(['ok', 'absent', 'failed'], name).toContain(status);
      expect(reason === null, name).toBe(status === 'ok');
    }
  });

  async function addVms(): Promise<void> {
    await host.addVm('one', 100);
    await host.addVm('two', 200, { hypervisor: 'firecracker' });
    await host.addVm('three', 300, { hypervisor: 'cloud-hypervisor', sandbox: { runtime: 'rust', hypervisor: 'qemu', vmmInShim: false } });
  }
});

/** Whatever was found can be shown, and what is not ok says what to do. */
function expectSound({ probe: { name }, finding }: Probed): void {
  const { outcome } = outcomeWords(finding.outcome);
  expect(finding.detail, name).toSatisfy(oneLine);
  expect('fix' in finding, name).toBe(outcome !== 'ok');
  if (!('fix' in finding)) return;
  expect(NEEDS, name).toContain(finding.need);
  expect(finding.fix.text, name).toSatisfy(oneLine);
  for (const { where, line } of finding.fix.steps) {
    expect(PLACES, name).toContain(where);
    expect(line, name).toSatisfy(oneLine);
  }
  expect(finding.affects, name).toEqual([...new Set(finding.affects)].sort());
}
