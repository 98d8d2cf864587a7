import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Agent } from './agent.js';
import { CopiedHost } from './copy.js';
import { systemError } from './faults.js';
import { rootOf, story } from './stories.js';

const STORY = story('unreadable');
const start = (root = rootOf(STORY)): Promise<Agent> => Agent.start(root, STORY.prepare ? { prepare: STORY.prepare } : {});

it('gives what may be read of a process of somebody else and says what may not, in every sweep', async () => {
  const agent = await start();
  for (let sweep = 0; sweep < 14; sweep++) {
    const stats = JSON.parse(await agent.text('/instances/closed/stats'));
    expect(stats).toMatchObject({ cpu_seconds: 10.13, memory_rss_bytes: 268_435_456, network_rx_bytes: 8101 });
    expect(stats.process).toMatchObject({ fds: null, io: { read_bytes: null, rchar_bytes: null } });
    for (const name of ['descriptors', 'io']) expect(stats.collectors[name]).toMatchObject({ outcome: 'absent', reason: 'not_permitted' });
    const page = await agent.text('/instances/closed/metrics');
    expect(page).not.toMatch(/^vmgauge_vm_(open_fds|process_io)/m);
    expect(page).toContain('collector="io",outcome="absent",reason="not_permitted"} 1\n');
    await agent.sweep();
  }
  await agent.stop();
});

it('counts the processes it may not look at, and lists none of them on a guess', async () => {
  const agent = await start();
  expect(await agent.text('/metrics')).toContain('\nvmgauge_discovery_unreadable_processes 2\n');
  const { instances } = JSON.parse(await agent.text('/instances'));
  expect(instances.map(({ name }: { name: string }) => name)).toEqual(['open', 'closed']);
  await agent.stop();
});

it('says that it may not look where nobody knows the interfaces, instead of that there are none', async () => {
  const host = new CopiedHost('unreadable');
  const metadata = host.path('var', 'lib', 'hypeman', 'guests', 'uvw12345678', 'metadata.json');
  writeFileSync(metadata, readFileSync(metadata, 'utf8').replace(/ *"NetworkEnabled": true,\n/, ''));
  const agent = await start(host.root);
  const stats = JSON.parse(await agent.text('/instances/closed/stats'));
  expect(stats).toMatchObject({ network_rx_bytes: null, network: { interfaces: [] } });
  expect(stats.collectors.network).toMatchObject({ outcome: 'absent', reason: 'not_permitted' });
  await agent.stop();
  host.remove();
});

it('sees a VM once it may look at it', async () => {
  const agent = await start();
  agent.host.faults.mend();
  agent.host.clock.advance(60_000);
  await agent.rescan();
  expect(JSON.parse(await agent.text('/instances/unknown-owner'))).toMatchObject({ pid: 6201, source: 'host' });
  await agent.stop();
});

it('keeps what it knew when the look is refused later, and comes to no harm when all of /proc/<pid> is', async () => {
  const agent = await start();
  const before = await agent.text('/instances/open/metrics');
  agent.host.faults.break(/^proc\/6001$/, { error: systemError('EACCES') });
  await agent.rescan();
  expect(await agent.text('/instances/open/metrics')).toBe(before);
  await agent.stop();
});
