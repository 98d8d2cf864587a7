import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Agent } from './agent.js';
import { CopiedHost } from './copy.js';
import { parseStrictly } from './strict-exposition.js';

let host: CopiedHost;
let agent: Agent;
beforeEach(async () => {
  host = new CopiedHost('hostile');
  agent = await Agent.start(host.root);
});
afterEach(async () => {
  await agent.stop();
  host.remove();
});

const json = async (path: string) => JSON.parse(await agent.text(path));
const guest = (...parts: string[]): string => host.path('var', 'lib', 'hypeman', 'guests', ...parts);
const problemsOf = async (source: string): Promise<string | undefined> =>
  new RegExp(`^vmgauge_source_problems\\{source="${source}"\\} (\\d+)$`, 'm').exec(await agent.text('/metrics'))?.[1];

describe('a process', () => {
  it('may have any comm and any name', async () => {
    const stats = await json('/instances/33333333-0000-4000-8000-000000000001/stats');
    expect(stats).toMatchObject({ cpu_seconds: 10.13, instance_name: 'quote" back\\slash?newline ? Zoë 東京 <b>,x' });
    // The label says the same as the document.
    for (const format of ['text', 'openmetrics'] as const) {
      const page = await agent.text('/metrics', format === 'text' ? {} : { accept: 'application/openmetrics-text' });
      const info = parseStrictly(page, format).get('vmgauge_vm_info');
      const sample = info?.samples.find(({ labels }) => labels.get('instance_id') === stats.instance_id);
      expect(sample?.labels.get('instance_name')).toBe(stats.instance_name);
    }
  });

  it('whose stat is cut is no instance', async () => {
    const { instances } = await json('/instances');
    expect(instances.map(({ pid }: { pid: number }) => pid)).not.toContain(4101);
  });

  it('with counters of 2^64-1 has nothing at all in their place, neither 0 nor 2^64', async () => {
    const { id } = await json('/instances/huge');
    const stats = await json(`/instances/${id}/stats`);
    expect(stats).toMatchObject({ cpu_seconds: null, memory_rss_bytes: null, network_rx_bytes: null, network_tx_bytes: null });
    expect(JSON.stringify(stats)).not.toMatch(/1844674|e\+/);
    const page = await agent.text(`/instances/${id}/metrics`);
    expect(page).not.toMatch(/1844674|e\+|NaN|Inf/);
    expect(page).not.toMatch(/^(hypeman_vm_(cpu|network|memory_(rss|vms))|vmgauge_vm_(cpu_seconds|network_receive_bytes|process_io))/m);
  });

  it('with garbage in its files has outcomes that say so', async () => {
    const { collectors } = await json('/instances/garbled/stats');
    for (const name of ['memory', 'io', 'network']) expect(collectors[name]).toMatchObject({ outcome: 'failed', reason: 'malformed' });
    expect(collectors.cpu).toMatchObject({ outcome: 'ok' });
  });

  it('cannot take the id or the interface name of its choice apart', async () => {
    const { instances } = await json('/instances?name=../../etc/passwd');
    expect(instances).toMatchObject([{ id: 'qemu-4701-60700' }]);
    const page = parseStrictly(await agent.text('/metrics'), 'text');
    const interfaces = page.get('vmgauge_vm_network_receive_bytes_total')?.samples.map(({ labels }) => labels.get('interface'));
    expect(interfaces).toContain('tap"q\\');
  });

  it('may hold 5,000 descriptors', async () => {
    for (let fd = 100; fd < 5100; fd++) symlinkSync(`socket:[${fd}]`, host.path('proc', '4701', 'fd', String(fd)));
    agent.host.clock.advance(60_000);
    await agent.rescan();
    await agent.sweep(13);
    expect((await json('/instances/qemu-4701-60700/stats')).process.fds).toBe(5006);
  });
});

describe("a stranger's file", () => {
  it('that is torn, empty, a link, of another id or without sense is counted, and what makes sense is taken', async () => {
    expect(await problemsOf('hypeman')).toBe('5');
    expect(await problemsOf('libvirt')).toBe('2');
    const { instances } = await json('/instances?source=hypeman');
    expect(instances.map(({ id }: { id: string }) => id)).toEqual(['good1good1', 'nonsense1']);
    expect(instances[1]).toMatchObject({ name: 'nonsense1', state: 'stopped', allocated: { vcpus: null, memory_bytes: null } });
  });

  it('that names a process which is no VM is not believed', async () => {
    expect(await json('/instances/thief')).toMatchObject({ pid: null, state: 'stopped', processes: [] });
    expect(await agent.text('/metrics')).toContain('\nvmgauge_discovery_refused_claims_total 1\n');
  });

  it('that grows to 100 MB costs its instance nothing that was known, and others nothing', async () => {
    const before = await agent.text('/instances');
    // Sparse: it takes no room.
    truncateSync(guest('good1good1', 'metadata.json'), 100 << 20);
    await agent.rescan();
    expect(await agent.text('/instances')).toBe(before);
    expect(await problemsOf('hypeman')).toBe('6');
  });

  it('in a directory of any name is passed over, and so are links to directories', async () => {
    for (const name of ['quote"s', 'new\nline', 'Zoë 東京', '-dash', 'a'.repeat(200), '.hidden', 'x.fork-bak.123']) {
      mkdirSync(guest(name));
      writeFileSync(guest(name, 'metadata.json'), JSON.stringify({ Id: name, Name: 'intruder' }));
    }
    symlinkSync(host.root, guest('linked2linked'));
    const before = await agent.text('/instances');
    await agent.rescan();
    expect(await agent.text('/instances')).toBe(before);
    // All but the fork's backup are told.
    expect(await problemsOf('hypeman')).toBe('11');
    parseStrictly(await agent.text('/metrics'), 'text');
  });

  it('that is gone takes its instance along, and comes back with it', async () => {
    rmSync(guest('good1good1'), { recursive: true });
    await agent.rescan();
    expect((await agent.get('/instances/good1good1')).status).toBe(404);
    mkdirSync(guest('good1good1'));
    writeFileSync(guest('good1good1', 'metadata.json'), '{"Id":"good1good1","Name":"again"}');
    await agent.rescan();
    expect(await json('/instances/good1good1')).toMatchObject({ name: 'again', state: 'stopped' });
  });
});
