import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { beforeAll, expect, it } from 'vitest';
import { PACKAGE, type RunningAgent, record, startAgent } from './agent.js';
import { runWell } from './child.js';
import { Cleanup } from './cleanup.js';
import { file, liveSuite, program } from './needs.js';
import { startVm, type Vm } from './vm.js';

const cleanup = new Cleanup();
const DESCRIPTION = join(PACKAGE, 'openapi.yaml');
const bin = (name: string): string => join(PACKAGE, 'node_modules', name);

/** A caller as one would write it, in the types that the generator made of our description. */
const CALLER = `
import { client } from './client/client.gen';
import { getInstanceStats, listInstances, registerInstance } from './client/sdk.gen';
import type { InstanceStats, Problem } from './client/types.gen';

const [baseUrl, id] = process.argv.slice(2);
client.setConfig({ baseUrl });

const rssOf = (stats: InstanceStats): number | null => stats.memory_rss_bytes;
const codeOf = (problem: Problem): string => problem.code;

const stats = await getInstanceStats({ path: { id }, query: { window: '30s' } });
const list = await listInstances({ query: { hypervisor: 'qemu', limit: 1000 } });
const missing = await getInstanceStats({ path: { id: 'nobody' } });
const refused = await registerInstance({ path: { id: 'x' }, body: { vcpus: 1 } });
if (!stats.data || !list.data || !missing.error || !refused.error) throw new Error('an answer is missing');
process.stdout.write(
  JSON.stringify({
    stats: stats.data,
    rss: rssOf(stats.data),
    ids: list.data.instances.map(({ id }) => id),
    missing: { code: codeOf(missing.error), detail: missing.error.detail, status: missing.response?.status },
    refused: { code: codeOf(refused.error), status: refused.response?.status },
  }),
);
`;
const COMPILER = {
  target: 'ES2023',
  lib: ['ES2023', 'DOM', 'DOM.Iterable'],
  module: 'esnext',
  moduleResolution: 'bundler',
  strict: true,
  skipLibCheck: true,
  noEmit: true,
  types: ['node'],
};

liveSuite('a client generated from openapi.yaml', [file(DESCRIPTION), program('qemu-system-x86_64')], () => {
  let directory: string;
  let vm: Vm;
  let agent: RunningAgent;

  beforeAll(async () => {
    directory = cleanup.directory();
    mkdirSync(join(directory, 'src'));
    symlinkSync(join(PACKAGE, 'node_modules'), join(directory, 'node_modules'));
    writeFileSync(join(directory, 'package.json'), '{"type":"module","private":true}');
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions: COMPILER, include: ['src/**/*.ts'] }));
    writeFileSync(join(directory, 'src/caller.ts'), CALLER);
    const generate = [bin('@hey-api/openapi-ts/bin/run.js'), '--input', DESCRIPTION, '--output', join(directory, 'src/client')];
    await runWell(process.execPath, generate, { cwd: directory });
    vm = await startVm(cleanup, { vcpus: 2 });
    agent = await startAgent(cleanup, ['--collection.max-age=1h', '--collection.interval=1h']);
    await agent.sees(vm.id);
  });

  it('compiles, and so does a caller that uses its types', async () => {
    expect(await runWell(process.execPath, [bin('typescript/bin/tsc'), '-p', directory], { cwd: directory })).toBe('');
  });

  it('reads stats, the list and errors from the running agent', async () => {
    const out = join(directory, 'caller.mjs');
    await build({ entryPoints: [join(directory, 'src/caller.ts')], outfile: out, bundle: true, platform: 'node', format: 'esm' });
    const seen = record(JSON.parse(await runWell(process.execPath, [out, agent.url, vm.id], { cwd: directory })));
    const stats = await agent.json(`/instances/${vm.id}/stats?window=30s`);
    expect(seen.stats).toEqual(stats);
    expect(seen.rss).toBe(stats.memory_rss_bytes);
    expect(seen.ids).toContain(vm.id);
    expect(seen.missing).toEqual({ code: 'not_found', status: 404, detail: 'Container ID (nobody) does not exist' });
    expect(seen.refused).toEqual({ code: 'method_not_allowed', status: 405 });
  });
});
