import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Host } from '../../host/host.js';
import { FileSource } from './file.source.js';

let directory: string;
let path: string;
let source: FileSource;

const at = (name: string): FileSource => {
  path = join(directory, name);
  source = new FileSource(new Host(), path);
  return source;
};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-file-'));
  at('instances.yaml');
});
afterEach(() => {
  source.stop();
  rmSync(directory, { recursive: true, force: true });
});

const write = (text: string): void => writeFileSync(path, text);
const ids = async (): Promise<string[]> => (await source.list()).map(({ id }) => id);
const refusal = async (text: string): Promise<string> => {
  write(text);
  return source.start().then(
    () => 'accepted',
    (error: Error) => error.message.replace(`source.file.path: ${path}: `, ''),
  );
};

const FULL = {
  id: 'vm-1',
  name: 'Web 1',
  uuid: '0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11',
  hypervisor: 'qemu',
  pid: 4242,
  start_ticks: 987_654,
  boot_id: '6f0e5f5c-0d7e-4b52-9d6c-1f1c2f3a4b5c',
  vcpus: 2,
  memory_bytes: 1_073_741_824,
  interfaces: [{ name: 'tap0' }, { name: 'mv0', kind: 'macvtap', mac: '52:54:00:12:34:56' }],
  sockets: ['/run/vm-1/qmp.sock'],
};

describe('FileSource formats', () => {
  const record = {
    id: 'vm-1',
    name: 'Web 1',
    uuid: '0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11',
    hypervisor: 'qemu',
    process: { pid: 4242, startTicks: 987_654, bootId: '6f0e5f5c-0d7e-4b52-9d6c-1f1c2f3a4b5c' },
    vcpus: 2,
    memoryBytes: 1_073_741_824,
    nics: [
      { kind: 'tap', name: 'tap0' },
      { kind: 'macvtap', name: 'mv0', mac: '52:54:00:12:34:56' },
    ],
    sockets: ['/run/vm-1/qmp.sock'],
  };

  it.each(['instances.json', 'instances.yaml', 'instances'])('reads JSON from %s', async (name) => {
    at(name);
    write(JSON.stringify({ instances: [FULL, { id: 'vm-2' }] }));
    await source.start();
    expect(await source.list()).toEqual([record, { id: 'vm-2' }]);
    expect(source.problems.size).toBe(0);
  });

  it('reads YAML', async () => {
    write(`
# written by hand
instances:
  - id: vm-1
    name: Web 1
    uuid: 0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11
    hypervisor: qemu
    pid: 4242
    start_ticks: 987654
    boot_id: 6f0e5f5c-0d7e-4b52-9d6c-1f1c2f3a4b5c
    vcpus: 2
    memory_bytes: 1073741824
    interfaces: [{ name: tap0 }, { name: mv0, kind: macvtap, mac: "52:54:00:12:34:56" }]
    sockets:
      - /run/vm-1/qmp.sock
  - { id: vm-2, interfaces: [] }
`);
    await source.start();
    expect(await source.list()).toEqual([record, { id: 'vm-2', nics: [] }]);
  });

  it('reads YAML in braces', async () => {
    write('{ instances: [ { id: vm-1 } ] }');
    await source.start();
    expect(await ids()).toEqual(['vm-1']);
  });

  it('takes 50,000 entries and not one more', async () => {
    at('many.json');
    const instances = Array.from({ length: 50_000 }, (_, i) => ({
      id: `vm-${i}`,
      pid: i + 1,
      start_ticks: 987_654,
      interfaces: [{ name: `tap${i}` }],
    }));
    write(JSON.stringify({ instances }));
    await source.start();
    expect(await source.list()).toHaveLength(50_000);
    expect(await refusal(JSON.stringify({ instances: [...instances, { id: 'one-more' }] }))).toBe('more than 50000 instances');
  }, 30_000);
});

describe('FileSource refusals', () => {
  const entry = (change: string): string => `instances:\n  - id: vm-1\n  - ${change}\n`;

  it.each([
    ['{ id: vm-2, vcpu: 4 }', 'instances[1]: unknown key "vcpu" with the value 4'],
    ['{ id: vm-2, state: running }', 'instances[1]: unknown key "state" with the value "running"'],
    ['{ id: vm-2, constructor: x }', 'instances[1]: unknown key "constructor" with the value "x"'],
    ['{ id: vm-2, __proto__: { pid: 1 } }', 'instances[1]: unknown key "__proto__" with the value {"pid":1}'],
    ['{ name: x }', /^instances\[1\]: id must be text that matches .*, but it is missing$/],
    ['{ id: ../etc }', /^instances\[1\]: id must be text that matches .*, got "..\/etc"$/],
    ['{ id: 17 }', /^instances\[1\]: id must be text .*, got 17$/],
    ['{ id: vm-1 }', 'instances[1]: id vm-1 is that of instances[0]'],
    ['{ id: vm-2, vcpus: 0 }', 'instances[1]: vcpus must be a whole number from 1 to 16384, got 0'],
    ['{ id: vm-2, vcpus: "2" }', 'instances[1]: vcpus must be a whole number from 1 to 16384, got "2"'],
    ['{ id: vm-2, vcpus: null }', 'instances[1]: vcpus must be a whole number from 1 to 16384, got null'],
    ['{ id: vm-2, memory_bytes: 1.5 }', /^instances\[1\]: memory_bytes must be a whole number .*, got 1.5$/],
    ['{ id: vm-2, memory_bytes: .inf }', /, got Infinity$/],
    ['{ id: vm-2, pid: 5 }', /^instances\[1\]: start_ticks must be the clock ticks of field 22 .*, but it is missing$/],
    ['{ id: vm-2, start_ticks: 5 }', /^instances\[1\]: pid must be .*, but it is missing$/],
    ['{ id: vm-2, pid: 4194305, start_ticks: 1 }', 'instances[1]: pid must be a whole number from 1 to 4194304, got 4194305'],
    ['{ id: vm-2, uuid: no }', 'instances[1]: uuid must be a UUID, got "no"'],
    ['{ id: vm-2, hypervisor: xen }', /^instances\[1\]: hypervisor must be one of qemu, .*, got "xen"$/],
    ['{ id: vm-2, name: "a\\nb" }', /^instances\[1\]: name must be text .*, got "a\\nb"$/],
    ['{ id: vm-2, sockets: /x }', /^instances\[1\]: sockets must be a list of at most 16 paths, got "\/x"$/],
    ['{ id: vm-2, sockets: [1] }', /^instances\[1\]: sockets must be a list of at most 16 paths, got \[1\]$/],
    ['{ id: vm-2, interfaces: {} }', 'instances[1]: interfaces must be a list of at most 256, got {}'],
    [
      '{ id: vm-2, interfaces: [{ name: a/b }] }',
      /^instances\[1\]: interfaces\[0\]: name must be an interface name .*, got \[\{"name":"a\/b"\}\]$/,
    ],
    ['{ id: vm-2, interfaces: [{ name: a }, { name: b, tap: 1 }] }', /^instances\[1\]: interfaces\[1\]: unknown key, got /],
    ['{ id: vm-2, interfaces: [7] }', /^instances\[1\]: interfaces\[0\]: must be an object, got \[7\]$/],
    ['just text', 'instances[1]: must be an object, got "just text"'],
    ['&a { id: vm-2, sockets: [*a] }', /^instances\[1\]: sockets must be a list .*, got a object that contains itself$/],
  ])('%s', async (change, line) => {
    const said = await refusal(entry(change));
    if (typeof line === 'string') expect(said).toBe(line);
    else expect(said).toMatch(line);
    expect(said).not.toContain('\n');
  });

  it.each([
    ['', 'must be an object with the list `instances`'],
    ['instances:\n', '`instances` must be a list; an empty one is []'],
    ['instances: []\nversion: 1\n', 'unknown key "version" at the top'],
    ['instances: [\n', /^not YAML \(line 2: [A-Z_]+\)$/],
    ['instances: []\n---\ninstances: []\n', /^not YAML \(line \d: MULTIPLE_DOCS\)$/],
    ['instances: []\ninstances: []\n', /^not YAML \(line 2: DUPLICATE_KEY\)$/],
    ['instances: [*nowhere]\n', /^not YAML/],
  ])('%j', async (text, line) => {
    const said = await refusal(text);
    if (typeof line === 'string') expect(said).toBe(line);
    else expect(said).toMatch(line);
  });

  it('tells the place in JSON but not the text', async () => {
    at('instances.json');
    expect(await refusal('{\n "instances": ["secret" 2]}')).toMatch(/^not JSON \(line 2 column \d+\)$/);
    expect(await refusal('{\n "instances": [secret]}')).toBe('not JSON');
  });

  it('does not unfold an alias bomb', async () => {
    const levels = Array.from({ length: 9 }, (_, i) => `b${i + 1}: &b${i + 1} [${Array(9).fill(`*b${i}`).join(', ')}]`);
    expect(await refusal(['b0: &b0 [lol]', ...levels, 'instances: [*b9]'].join('\n'))).toMatch(/too many aliases/);
  });

  it('reads no more than 16 MiB', async () => {
    expect(await refusal(`# ${'x'.repeat(16 << 20)}`)).toBe('the file is too long');
  });

  it('says that the file is missing', async () => {
    await expect(source.start()).rejects.toThrow(`${path}: the file is missing`);
  });
});

describe('FileSource changes', () => {
  const GOOD = 'instances: [{ id: vm-1 }]\n';

  it('keeps the list in force while the file is bad or missing, and says why without a word of it', async () => {
    write(GOOD);
    await source.start();
    write('instances: [{ id: vm-2, vcpus: hunter2 }]\n');
    expect(await ids()).toEqual(['vm-1']);
    const line = 'instances[0]: vcpus must be a whole number from 1 to 16384; the last good list stays';
    expect([...source.problems]).toEqual([[path, line]]);
    expect(source.stale).toBe(true);
    await expect(source.reload()).rejects.toThrow(/vcpus must be .*, got "hunter2"$/);
    rmSync(path);
    expect(await ids()).toEqual(['vm-1']);
    expect([...source.problems.values()]).toEqual(['the file is missing; the last good list stays']);
    write('instances: [{ id: vm-3 }]\n');
    await source.reload();
    expect(await ids()).toEqual(['vm-3']);
    expect(source.problems.size).toBe(0);
    expect(source.stale).toBe(false);
  });

  it('sees a change without being asked', async () => {
    write(GOOD);
    await source.start();
    write('instances: 7\n');
    await vi.waitFor(() => expect(source.problems.size).toBe(1), { timeout: 5000 });
  });

  it('sees a change when asked, without a watch', async () => {
    write(GOOD);
    await source.start();
    source.stop();
    write('instances: [{ id: vm-2 }]\n');
    expect(await ids()).toEqual(['vm-2']);
  });

  it('follows a ConfigMap, where the file is a link into a directory that is swapped', async () => {
    for (const version of ['v1', 'v2']) {
      mkdirSync(join(directory, version));
      writeFileSync(join(directory, version, 'instances.yaml'), `instances: [{ id: ${version} }]\n`);
    }
    symlinkSync('v1', join(directory, '..data'));
    symlinkSync('..data/instances.yaml', path);
    await source.start();
    expect(await ids()).toEqual(['v1']);
    symlinkSync('v2', join(directory, '..new'));
    renameSync(join(directory, '..new'), join(directory, '..data'));
    expect(await ids()).toEqual(['v2']);
  });
});
