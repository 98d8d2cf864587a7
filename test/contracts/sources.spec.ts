import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Host } from '../../src/host/host.js';
import { ID_PATTERN, type InstanceSource } from '../../src/model/instance.js';
import { DRIVERS } from '../../src/modules/hypervisor/drivers.js';
import { Discovery } from '../../src/modules/instances/discovery.js';
import { FileSource } from '../../src/modules/instances/file.source.js';
import { HypemanSource } from '../../src/modules/instances/hypeman.source.js';
import { KataSource } from '../../src/modules/instances/kata.source.js';
import { LibvirtSource } from '../../src/modules/instances/libvirt.source.js';
import { RegistrationSource } from '../../src/modules/instances/registration.source.js';
import { statLine } from '../fake-proc.js';

const UUID = '0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11';

interface Trial {
  make(host: Host, root: string): InstanceSource;
  /** The file, below the root, in which the source finds an instance. */
  readonly file: string;
  /** Content of that file without any instance; missing where then there is no file. */
  readonly empty?: string;
  /** Content with one instance. */
  readonly good: string;
}

/** One entry a source; the key is its class. */
const TRIALS: Readonly<Record<string, Trial>> = {
  HypemanSource: {
    make: (host, root) => new HypemanSource(host, join(root, 'hypeman')),
    file: 'hypeman/guests/vm-1/metadata.json',
    good: '{"Id":"vm-1","Name":"one","Vcpus":2,"Size":1024,"NetworkEnabled":true}',
  },
  LibvirtSource: {
    make: (host) => new LibvirtSource(host),
    file: 'run/libvirt/qemu/one.xml',
    good: `<domstatus state='running' pid='7'><domain><name>one</name><uuid>${UUID}</uuid></domain></domstatus>`,
  },
  KataSource: {
    make: (_, root) => kata(root),
    file: 'run/containerd/io.containerd.runtime.v2.task/k8s.io/sandbox-1/shim.pid',
    good: '7\n',
  },
  FileSource: {
    make: (host, root) => new FileSource(host, join(root, 'instances.yaml')),
    file: 'instances.yaml',
    empty: 'instances: []\n',
    good: 'instances: [{ id: vm-1, name: one }]\n',
  },
  RegistrationSource: {
    make: (host, root) => new RegistrationSource(host, join(root, 'registrations.json'), () => 'ok'),
    file: 'registrations.json',
    good: '{"instances":[{"id":"vm-1","name":"one"}]}',
  },
};

/** A young shim that lives, and the spec of its pod: what makes it a sandbox is only the pid in root's own file. */
function kata(root: string): InstanceSource {
  write('proc/stat', `btime ${Math.floor(Date.now() / 1000) - 100}\n`);
  const host = new Host({ proc: join(root, 'proc'), run: join(root, 'run') });
  write('proc/7/stat', statLine({ pid: 7, comm: 'containerd-shim', startTicks: 10_000 }));
  write('proc/7/cmdline', '/opt/kata/bin/containerd-shim-kata-v2\0-namespace\0k8s.io\0-id\0sandbox-1\0');
  mkdirSync(join(root, 'proc/7/fd'));
  const spec = { annotations: { 'io.kubernetes.cri.sandbox-name': 'one' } };
  write('run/containerd/io.containerd.runtime.v2.task/k8s.io/sandbox-1/config.json', JSON.stringify(spec));
  return new KataSource(host, new Discovery(host, DRIVERS, []).source, true);
}

const GARBAGE = ['', '{', '<domstatus', '\u0000\u0001\u0002', '[[[[[[[[', 'null', '"text"', '{"instances":{"0":1}}', 'x'.repeat(100_000)];

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vmgauge-sources-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const host = (): Host => new Host({ run: join(root, 'run') });
function write(file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
}

it('gives every source a name of its own', () => {
  const names = Object.values(TRIALS).map(({ make }) => make(host(), root).name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z][a-z_-]*$/);
});

describe.each(Object.entries(TRIALS))('%s keeps the contract of a source', (_, { make, file, empty, good }) => {
  let source: InstanceSource;
  beforeEach(() => {
    source = make(host(), root);
  });
  afterEach(async () => source.stop?.());

  it('lists nothing in an empty world', async () => {
    if (empty !== undefined) write(file, empty);
    await source.start?.(() => undefined);
    expect(await source.list()).toEqual([]);
    expect(source.problems?.size).toBe(0);
  });

  it('lists an instance, the same twice, with a valid id and in plain data', async () => {
    write(file, good);
    await source.start?.(() => undefined);
    const records = await source.list();
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ id: expect.stringMatching(ID_PATTERN), name: 'one' });
    expect(await source.list()).toEqual(records);
    expect(JSON.parse(JSON.stringify(records))).toEqual(records);
    expect(source.problems?.size).toBe(0);
  });

  it.each(GARBAGE)('does not throw over garbage that comes later, and tells: %j', async (garbage) => {
    if (empty !== undefined) write(file, empty);
    else if (source instanceof RegistrationSource) write(file, garbage);
    await source.start?.(() => undefined);
    write(file, garbage);
    expect(await source.list()).toEqual([]);
    expect(await source.list()).toEqual([]);
    expect(source.problems?.size).toBe(1);
    for (const line of source.problems?.values() ?? []) expect(line).toMatch(/^[^\n]{1,200}$/);
  });

  it('keeps a known instance over garbage', async () => {
    write(file, good);
    await source.start?.(() => undefined);
    const records = await source.list();
    write(file, '{"cut');
    expect(await source.list()).toEqual(records);
  });

  it('does not wait for a FIFO', async () => {
    if (empty !== undefined) write(file, empty);
    await source.start?.(() => undefined);
    rmSync(join(root, file), { force: true });
    mkdirSync(dirname(join(root, file)), { recursive: true });
    execFileSync('mkfifo', [join(root, file)]);
    expect(await source.list()).toEqual([]);
  });
});
