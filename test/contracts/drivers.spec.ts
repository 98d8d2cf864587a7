import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HYPERVISORS, ID_PATTERN, NIC_KINDS } from '../../src/model/instance.js';
import type { Description, ProcessEvidence } from '../../src/modules/hypervisor/driver.js';
import { DRIVERS } from '../../src/modules/hypervisor/drivers.js';
import { evidenceOf, tap } from './process-evidence.js';

const ROOM = new URL('../../src/modules/hypervisor/', import.meta.url);

/** Words of real command lines in any order, their pieces, and noise. */
const OPTIONS =
  '-name -uuid -smp -m -machine -object -netdev -nic -net -device -qmp -chardev -mon -nodefaults -id --id --api-socket --api-sock --cpus --memory --memory-zone --net --kernel --config-file --no-api --';
const VALUES =
  'guest=a,debug-threads=on sandbox-x 0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11 2,sockets=2 99999999999999999999 size=1e99G -1 tap,fds=3:4:5,id=n tap,fd=-1 {"type":"tap","fd":3} {"a":{"a":[[[]]]}} vfio-pci,host=00:01.0 unix:fd=3 unix: boot=0 fd=[3,,[] size=0 id=../../etc /guests/../qemu.sock';
const word = fc.oneof(
  fc.constantFrom(...OPTIONS.split(' '), ...VALUES.split(' ')),
  fc.string({ unit: fc.constantFrom('-', '=', ',', '{', '}', '[', ']', '"', ':', '\0', '\ud800', 'a', '9') }),
  fc.string({ unit: 'binary' }),
  fc.json(),
);
const name = fc.option(fc.constantFrom('tap0', 'n', ''), { nil: undefined });
const evidence: fc.Arbitrary<ProcessEvidence> = fc
  .record({
    argv: fc.array(word, { maxLength: 40 }),
    comm: fc.string(),
    executable: fc.option(fc.string(), { nil: undefined }),
    kvmVcpus: fc.nat(8),
    taps: fc.array(fc.tuple(fc.nat(6), name)).map((queues) => queues.map(([fd, interfaceName]) => tap(fd, interfaceName))),
    listening: fc.array(fc.tuple(fc.nat(6), fc.string())).map((sockets) => new Map(sockets)),
    cgroups: fc.array(fc.oneof(fc.string(), fc.constant('/machine-qemu\\x2d1\\x2d\\xff.scope'))),
    file: fc.option(fc.oneof(fc.string(), fc.json()), { nil: undefined }),
    pciClass: fc.option(fc.string(), { nil: undefined }),
  })
  .map(({ file, pciClass, ...given }) => evidenceOf({ ...given, readFile: () => file, pciClass: () => pciClass }));

function expectSane({ id, name: vmName, vcpus, memoryBytes, nics, sockets }: Description, { taps }: ProcessEvidence): void {
  if (id !== undefined) expect(id).toMatch(ID_PATTERN);
  expect(vmName).not.toBe('');
  for (const amount of [vcpus, memoryBytes]) if (amount !== undefined) expect(Number.isSafeInteger(amount) && amount > 0).toBe(true);
  for (const socket of sockets ?? []) expect(typeof socket).toBe('string');
  const names = (nics ?? []).flatMap((nic) => nic.name ?? []);
  expect(new Set(names).size).toBe(names.length);
  // An interface is named only by a descriptor, and none is lost.
  const held = new Set(taps.flatMap((queue) => queue.name ?? []));
  if (new Set(taps.map(({ fd }) => fd)).size === taps.length) expect(new Set(names)).toEqual(held);
  for (const { kind } of nics ?? []) expect(NIC_KINDS).toContain(kind);
}

describe('THE LIST of hypervisors', () => {
  it('has every *.driver.ts, with one export each', async () => {
    const files = readdirSync(ROOM).filter((file) => file.endsWith('.driver.ts'));
    const exported = await Promise.all(files.map(async (file) => Object.values(await import(new URL(file, ROOM).href))));
    for (const members of exported) expect(members).toHaveLength(1);
    expect(new Set(exported.flat())).toEqual(new Set(DRIVERS));
    expect(DRIVERS).toHaveLength(files.length);
  });

  it('names each hypervisor once, kvm last', () => {
    const names = DRIVERS.map((driver) => driver.name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.at(-1)).toBe('kvm');
  });
});

describe.each(DRIVERS.map((driver) => [driver.name, driver] as const))('driver %s', (driverName, driver) => {
  it('has a name of the model', () => {
    expect(HYPERVISORS).toContain(driverName);
  });

  it('says nothing of a process that shows nothing, and does not claim it', () => {
    expect(driver.claims(evidenceOf())).toBe(false);
    for (const argv of [[], ['']]) expect(driver.describe(evidenceOf({ argv }))).toEqual({});
  });

  it('gives no member without a value', () => {
    for (const argv of [['x'], ['x', '-name', 'a', '--id', 'a', '-netdev', 'tap', '--net', 'tap=']]) {
      expect(Object.values(driver.describe(evidenceOf({ argv, taps: [tap(3)] })))).not.toContain(undefined);
    }
  });

  it('survives any argv', () => {
    fc.assert(
      fc.property(evidence, (given) => {
        driver.claims(given);
        expectSane(driver.describe(given), given);
      }),
      { numRuns: 500 },
    );
  });

  it('survives an argv without end, within a moment', () => {
    // Its own time on a CPU: how long it waits for one is the machine's.
    const begun = process.threadCpuUsage();
    for (const filler of ['-netdev', '--net', 'tap,fds=3:4', `{"a":${'['.repeat(60_000)}`, 'x'.repeat(200_000), ','.repeat(60_000)]) {
      const argv = ['x', ...Array.from({ length: 10_000 }, (_, i) => (i % 2 === 0 ? '-netdev' : filler))];
      const given = evidenceOf({ argv, taps: Array.from({ length: 5000 }, (_, fd) => tap(fd, `tap${fd}`)) });
      expectSane(driver.describe(given), given);
    }
    const { user, system } = process.threadCpuUsage(begun);
    expect((user + system) / 1000).toBeLessThan(5000);
  });
});
