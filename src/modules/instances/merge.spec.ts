import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ID_PATTERN, type InstanceRecord } from '../../model/instance.js';
import { mergeSightings, type ProcessKey, type Sighting } from './merge.js';

const P1: ProcessKey = { pid: 100, startTicks: 1 };
const P2: ProcessKey = { pid: 200, startTicks: 2 };

const sighting = (source: string, id: string, process: ProcessKey | null = null, words: Partial<InstanceRecord> = {}): Sighting => ({
  source,
  record: { id, ...words },
  process,
});

describe('mergeSightings', () => {
  it('makes one instance of a process that two sources see, named by the first', () => {
    const merged = mergeSightings([
      sighting('hypeman', 'vm-1', P1, { vcpus: 2 }),
      sighting('host', 'qemu-100-1', P1, { vcpus: 9, memoryBytes: 5 }),
    ]);
    expect(merged).toMatchObject([
      { id: 'vm-1', sources: ['hypeman', 'host'], process: P1, record: { id: 'vm-1', vcpus: 2, memoryBytes: 5 } },
    ]);
  });

  it('leaves a sandbox its own id and hypervisor, whatever an earlier source calls them', () => {
    const sandbox = { id: 'box', runtime: 'rust', hypervisor: 'qemu', vmmInShim: false } as const;
    const [merged] = mergeSightings([
      sighting('registration', 'vm-1', P1, { hypervisor: 'cloud-hypervisor' }),
      sighting('kata', 'box', P1, { hypervisor: 'qemu', sandbox }),
    ]);
    expect(merged).toMatchObject({ id: 'vm-1', record: { hypervisor: 'cloud-hypervisor', sandbox } });
  });

  it('makes one instance of an id that two sources know, where at most one has a process', () => {
    const merged = mergeSightings([sighting('file', 'vm-1'), sighting('host', 'vm-1', P1)]);
    expect(merged).toMatchObject([{ id: 'vm-1', sources: ['file', 'host'], process: P1 }]);
  });

  it('keeps two processes of one id apart, and gives the later one a longer id', () => {
    const merged = mergeSightings([sighting('host', 'vm-1', P1), sighting('host', 'vm-1', P2)]);
    expect(merged).toMatchObject([
      { id: 'vm-1', process: P1 },
      { id: 'vm-1.200-2', process: P2 },
    ]);
  });

  it('lets the earlier source’s words stand, except for devices, which the host sees itself', () => {
    const [merged] = mergeSightings([
      sighting('libvirt', 'vm-1', P1, { name: 'one', state: 'unknown', nics: [{ kind: 'tap', name: 'old0' }] }),
      sighting('host', 'vm-1', P1, { name: 'two', state: 'running', hypervisor: 'qemu', nics: [{ kind: 'tap', name: 'new0' }] }),
    ]);
    expect(merged.record).toMatchObject({ name: 'one', state: 'running', hypervisor: 'qemu', nics: [{ name: 'new0' }] });
  });

  it('keeps another source’s devices where the host saw none', () => {
    const [merged] = mergeSightings([sighting('file', 'vm-1', P1, { nics: [{ kind: 'vhost-user' }] }), sighting('host', 'x', P1)]);
    expect(merged.record.nics).toEqual([{ kind: 'vhost-user' }]);
  });

  it('names a source once', () => {
    expect(mergeSightings([sighting('file', 'a', P1), sighting('file', 'b', P1)])).toMatchObject([{ id: 'a', sources: ['file'] }]);
  });

  it('gives a VM whose longer id somebody chose as his own yet another', () => {
    const ids = mergeSightings([
      sighting('host', 'vm-1.200-2', P1),
      sighting('host', 'vm-1', { pid: 5, startTicks: 5 }),
      sighting('host', 'vm-1', P2),
    ]).map(({ id }) => id);
    expect(new Set(ids).size).toBe(3);
    expect(ids.slice(0, 2)).toEqual(['vm-1.200-2', 'vm-1']);
  });

  it('keeps a longer id when the VM with the shorter one ends: nobody takes over its answers', () => {
    const known = new Set(['vm-1', 'vm-1.200-2']);
    expect(mergeSightings([sighting('host', 'vm-1', P2)], (id) => known.has(id))).toMatchObject([{ id: 'vm-1.200-2', process: P2 }]);
    const stopped = mergeSightings([sighting('hypeman', 'vm-1'), sighting('host', 'vm-1', P2)], (id) => known.has(id));
    expect(stopped).toMatchObject([
      { id: 'vm-1', process: null },
      { id: 'vm-1.200-2', process: P2 },
    ]);
  });

  it('still lets a source that manages VMs name a process that had a longer id', () => {
    const merged = mergeSightings([sighting('hypeman', 'vm-1', P2), sighting('host', 'vm-1', P2)], (id) => id === 'vm-1.200-2');
    expect(merged).toMatchObject([{ id: 'vm-1', sources: ['hypeman', 'host'], process: P2 }]);
  });

  it.each(['stopped', 'standby'] as const)('does not give a process the id of a VM that its source says is %s', (state) => {
    const merged = mergeSightings([sighting('hypeman', 'vm-1', null, { state, memoryBytes: 5 }), sighting('host', 'vm-1', P1)]);
    expect(merged).toMatchObject([
      { id: 'vm-1', sources: ['hypeman'], process: null },
      { id: 'vm-1.100-1', sources: ['host'], process: P1 },
    ]);
    expect(merged[1].record.memoryBytes).toBeUndefined();
  });

  it('does not give a process the id of a sandbox whose VMM its source has not found', () => {
    const merged = mergeSightings([sighting('kata', 's1', null, { sandbox: { vmmInShim: false } }), sighting('host', 's1', P1)]);
    expect(merged).toMatchObject([
      { id: 's1', sources: ['kata'], process: null },
      { id: 's1.100-1', sources: ['host'], process: P1 },
    ]);
  });

  it('takes a hypervisor or state that is unknown for unsaid, but not a VM called so', () => {
    const [merged] = mergeSightings([
      sighting('file', 'vm-1', P1, { name: 'unknown', hypervisor: 'unknown', state: 'unknown' }),
      sighting('host', 'vm-1', P1, { name: 'other', hypervisor: 'qemu', state: 'running' }),
    ]);
    expect(merged.record).toMatchObject({ name: 'unknown', hypervisor: 'qemu', state: 'running' });
  });

  it('loses no process, names each once, and never breaks the rules of ids', () => {
    const id = fc.constantFrom('a', 'a.1-1', 'a.2-2', 'a.1-1.2', 'b', 'x'.repeat(128), 'x'.repeat(127), '../etc', '');
    const process = fc.option(fc.record({ pid: fc.integer({ min: 1, max: 4 }), startTicks: fc.integer({ min: 1, max: 2 }) }));
    const one = fc.record({ source: fc.constantFrom('registration', 'file', 'host'), record: fc.record({ id }), process });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 30 }), fc.array(id), (sightings, before) => {
        const merged = mergeSightings(sightings, (known) => before.includes(known));
        const keys = merged.flatMap((instance) => (instance.process ? [`${instance.process.pid}:${instance.process.startTicks}`] : []));
        expect(new Set(merged.map((instance) => instance.id)).size).toBe(merged.length);
        expect(new Set(keys).size).toBe(keys.length);
        expect(new Set(keys)).toEqual(new Set(sightings.flatMap((s) => (s.process ? [`${s.process.pid}:${s.process.startTicks}`] : []))));
        for (const instance of merged) expect(instance.id).toMatch(ID_PATTERN);
      }),
      { numRuns: 500 },
    );
  });
});
