import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { VMM_EXECUTABLES } from '../../src/config/vmm-executables.js';
import type { InstanceRecord } from '../../src/model/instance.js';
import { VmmAsker } from '../../src/modules/vmm/asker.js';
import { homeLinks } from '../../src/modules/web/home.links.js';
import { starterCommand } from '../../src/modules/web/starter.js';
import { answering, FULL_ANSWER } from '../vmm-answer.js';
import { Agent, type AgentOptions } from './agent.js';
import { expectProblem } from './problem.js';
import { rootOf, story } from './stories.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HTML = { accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8' };
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));

const agents: Agent[] = [];
async function start(name: string, options: AgentOptions = {}): Promise<Agent> {
  const { prepare } = story(name);
  const agent = await Agent.start(rootOf(story(name)), { ...(prepare ? { prepare } : {}), ...options });
  agents.push(agent);
  return agent;
}
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.stop();
});

/** A source of the application that embeds the agent, which may say anything. */
const saying = (records: readonly InstanceRecord[]): AgentOptions => ({ sources: [{ name: 'test', list: () => records }] });
const page = (agent: Agent): Promise<string> => agent.text('/', HTML);
const visible = (html: string): string =>
  html
    .replace(/<style>[\s\S]*?<\/style>/, '')
    .replace(/<[^>]+>/g, ' ')
    .replace(/\s+/g, ' ');

describe('the page for people', () => {
  it('shows every instance with what is known of it, and links its statistics and metrics', async () => {
    const agent = await start('two-qemu');
    await agent.sweep();
    const html = await page(agent);
    const text = visible(html);
    const { instances } = JSON.parse(await agent.text('/instances'));
    expect(instances).toHaveLength(2);
    for (const { id, name, hypervisor } of instances) {
      expect(text).toContain(name);
      expect(text).toContain(hypervisor);
      expect(html).toContain(`href="instances/${id}/stats"`);
      expect(html).toContain(`href="instances/${id}/metrics"`);
    }
    expect(text).toContain('2 virtual machines');
    expect(text).toMatch(/\d of 2 vCPUs/);
    expect(text).toMatch(/of 128 MiB/);
  });

  it('runs nothing and loads nothing: its policy allows its own style and an empty icon', async () => {
    const agent = await start('two-qemu');
    const response = await agent.get('/').set(HTML).expect(200);
    const style = /<style>([\s\S]*?)<\/style>/.exec(response.text)?.[1] ?? '';
    const hash = createHash('sha256').update(style).digest('base64');
    expect(response.headers['content-security-policy']).toBe(
      `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
    expect(response.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(response.headers['cache-control']).toBe('no-store');
    expect(response.text).not.toMatch(/<script|<iframe|<object| style=| on[a-z]+=|https?:|url\(|@import/i);
  });

  it('escapes whatever a stranger calls a machine, an id apart, and refuses to obey it in a terminal', async () => {
    const name = `</style><script>alert("1")</script>&'\u202e\u009b31m`;
    const agent = await start('empty', saying([{ id: 'vm-1', name, state: 'created' }]));
    const html = await page(agent);
    expect(html).not.toContain('<script');
    expect(html).toContain('&lt;/style&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;');
    expect(await agent.text('/')).toContain(`</style><script>alert("1")</script>&'??31m`);
  });

  it('says what to do where no machine runs, with a command that starts one the agent would find', async () => {
    const agent = await start('empty');
    for (const text of [visible(await page(agent)), await agent.text('/')]) {
      expect(text).toContain('finds no virtual machine here');
      expect(text).toContain(starterCommand());
    }
    for (const architecture of ['x64', 'arm64']) {
      const [program] = starterCommand(architecture).split(' ');
      const patterns = VMM_EXECUTABLES.map((glob) => new RegExp(`^${glob.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`));
      expect(patterns.some((pattern) => pattern.test(`/usr/bin/${program}`))).toBe(true);
    }
  });

  it('says how many processes it may not look into, and what would help', async () => {
    const agent = await start('unreadable');
    const unreadable = /^vmgauge_discovery_unreadable_processes (\d+)$/m.exec(await agent.text('/metrics'))?.[1];
    expect(Number(unreadable)).toBeGreaterThan(0);
    for (const text of [visible(await page(agent)), await agent.text('/')]) {
      expect(text).toMatch(new RegExp(`${unreadable} of \\d+ processes could not be looked into.*CAP_SYS_PTRACE`));
    }
  });

  it('says at each machine which readings fail and why, but not that it has no NIC', async () => {
    const agent = await start('unreadable');
    const { instances } = JSON.parse(await agent.text('/stats'));
    const refused = instances.flatMap(({ collectors }: { collectors: Record<string, { reason?: string }> }) =>
      Object.entries(collectors).filter(([, { reason }]) => reason === 'not_permitted'),
    );
    expect(refused.length).toBeGreaterThan(0);
    const text = visible(await page(agent));
    for (const [name] of refused) expect(text).toMatch(new RegExp(`not permitted: [a-z_, ]*\\b${name}\\b`));
    expect(text).not.toContain('not configured');
  });

  it('shows first which machines do not work, and what says so', async () => {
    const crashed = answering('qemu', () => FULL_ANSWER);
    const agent = await start('two-qemu', { dialogues: [crashed] });
    await agent.app.get(VmmAsker, { strict: false }).settle(30_000);
    await agent.sweep();
    const html = await page(agent);
    expect(html).toContain('<i class="dot degraded"></i>degraded<small class="warn">internal error</small>');
    expect(visible(html)).toMatch(/\b2 degraded\b/);
    expect(await agent.text('/')).toMatch(/ degraded: internal error /);
    const { instances } = JSON.parse(await agent.text('/instances'));
    expect(instances.map(({ state }: { state: string }) => state)).toEqual(['degraded', 'degraded']);
  });

  it('shows two hundred of three thousand machines and where the others are', async () => {
    const records = Array.from({ length: 3000 }, (_, i): InstanceRecord => ({ id: `vm-${String(i).padStart(4, '0')}`, state: 'created' }));
    const agent = await start('empty', saying(records));
    const html = await page(agent);
    expect(html.match(/<tr><th scope="row">/g)).toHaveLength(200);
    expect(visible(html)).toContain('/instances lists all 3,000');
    expect(await agent.text('/')).toContain('and 2800 more: /instances');
  });

  it('names a source that fails, one that passes entries over, and those that are off', async () => {
    const agent = await start('empty', {
      sources: [
        { name: 'broken', list: () => Promise.reject(new Error('no <route> to it')) },
        { name: 'torn', list: () => [], problems: new Map([['vm-9', 'metadata.json: not JSON']]) },
      ],
    });
    const text = visible(await page(agent));
    expect(text).toContain('broken fails no &lt;route&gt; to it');
    expect(text).toContain('vm-9 : metadata.json: not JSON');
    expect(text).toMatch(/registration off/);
    expect(await agent.text('/')).toContain('source torn: 0 instances, 1 entry passed over');
  });

  it('says how what all machines share was read, where there is any', async () => {
    const agent = await start('two-qemu');
    const text = visible(await page(agent));
    expect(text).toMatch(/What all of them share.*conntrack ok .*conntrack_zones ok /s);
    // There is no switch.
    expect(text).not.toMatch(/\bovs\b/);
    expect(await agent.text('/')).toContain('\nhost conntrack: ok\n');
    expect(visible(await page(await start('empty')))).not.toContain('What all of them share');
  });

  it('is text for whoever does not ask for HTML', async () => {
    const agent = await start('two-qemu');
    const response = await agent.get('/').set('accept', '*/*').expect(200);
    expect(response.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(response.headers.vary).toBe('accept');
    expect(response.text).toMatch(/^vmgauge \S+ on \S*, 2 instances, read 2026-01-02T/);
    expect(response.text).not.toContain('<');
  });

  it('links every route that needs no id and no query, each of which answers', async () => {
    const agent = await start('two-qemu', { settings: { telemetryPath: '/custom/prometheus' } });
    const links = homeLinks('/custom/prometheus');
    const html = await page(agent);
    for (const { href } of links) {
      expect(html).toContain(`<a href="${href}">/${href}</a>`);
      await agent.get(`/${href}`).expect(200);
    }
    const { paths } = parse(readFileSync(join(ROOT, 'openapi.yaml'), 'utf8'));
    const asks = (path: string): boolean =>
      path.includes('{') || (paths[path].get.parameters ?? []).some(({ required }: { required: boolean }) => required);
    const documented = Object.keys(paths).filter((path) => !asks(path) && path !== '/');
    expect([...homeLinks('/metrics')].map(({ href }) => `/${href}`).sort()).toEqual(documented.sort());
  });
});

describe('the description of the API', () => {
  it('is the file that ships with the package, and the same as JSON', async () => {
    const agent = await start('empty');
    const yaml = await agent.get('/openapi.yaml').expect(200).expect('content-type', 'application/yaml; charset=utf-8');
    expect(yaml.text).toBe(readFileSync(join(ROOT, 'openapi.yaml'), 'utf8'));
    const json = await agent.get('/openapi.json').expect(200).expect('content-type', 'application/json; charset=utf-8');
    expect(JSON.parse(json.text)).toEqual(parse(yaml.text));
    expect(await agent.text('/openapi.json')).toBe(json.text);
  });
});

describe('the page to read and try the API', () => {
  beforeAll(() => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/assets.mjs'], { cwd: ROOT, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  it('loads its script and style from the agent, and its policy allows nothing else and no eval', async () => {
    const agent = await start('empty');
    const response = await agent.get('/docs').expect(200);
    expect(response.headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
    expect(response.headers['content-security-policy']).not.toContain('unsafe');
    const loaded = [...response.text.matchAll(/(?:src|href)="(docs\/[^"]+)"/g)].map(([, path]) => path);
    expect(loaded.sort()).toEqual(['docs/init.js', 'docs/swagger-ui-bundle.js', 'docs/swagger-ui.css']);
    expect(response.text).not.toMatch(/https?:|<script>|<style>/);
    for (const path of loaded) {
      const type = path.endsWith('.css') ? 'text/css; charset=utf-8' : 'text/javascript; charset=utf-8';
      await agent.get(`/${path}`).expect(200).expect('content-type', type).expect('cache-control', 'max-age=86400');
    }
  });

  it('gives the files of the package as they were published, and no others', async () => {
    const agent = await start('empty');
    for (const file of ['swagger-ui-bundle.js', 'swagger-ui.css']) {
      expect(await agent.text(`/docs/${file}`)).toBe(readFileSync(join(ROOT, 'node_modules/swagger-ui-dist', file), 'utf8'));
    }
    for (const file of ['LICENSE', 'package.json', '..%2f..%2fpackage.json', '%2e%2e%2fversion.js', 'x%00']) {
      expectProblem(await agent.get(`/docs/${file}`), 'not_found');
    }
  });
});

describe('in a browser', () => {
  const missing = CHROMIUM === undefined ? 'no chromium on this machine' : undefined;
  if (missing !== undefined && process.env.VMGAUGE_NO_SKIP !== '1') process.stderr.write(`skipped: pages in a browser: ${missing}\n`);
  const skip = missing !== undefined && process.env.VMGAUGE_NO_SKIP !== '1';
  let profile: string;
  beforeAll(() => {
    profile = mkdtempSync(join(tmpdir(), 'vmgauge-chromium-'));
  });
  afterAll(() => rmSync(profile, { recursive: true, force: true }));

  /** The document after its scripts ran, and what the browser complained of. */
  async function open(agent: Agent, path: string): Promise<{ dom: string; complaints: string[] }> {
    await agent.app.listen(0, '127.0.0.1');
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--enable-logging=stderr', '--virtual-time-budget=20000', '--dump-dom'];
    const url = `${await agent.app.getUrl()}${path}`;
    return new Promise((resolve, reject) => {
      execFile(CHROMIUM ?? 'chromium', [...flags, `--user-data-dir=${profile}`, url], { maxBuffer: 1 << 26 }, (error, dom, log) => {
        if (error) reject(error);
        else resolve({ dom, complaints: log.split('\n').filter((line) => line.includes('CONSOLE')) });
      });
    });
  }
  it.skipIf(skip)('the page for people breaks no rule of its policy', async () => {
    const { dom, complaints } = await open(await start('two-qemu'), '/');
    expect(complaints).toEqual([]);
    expect(dom).toContain('2 virtual machines');
  });

  it.skipIf(skip)('the page of the API shows every operation under its policy, without another host', async () => {
    const { dom, complaints } = await open(await start('two-qemu'), '/docs');
    expect(complaints).toEqual([]);
    const { paths } = parse(readFileSync(join(ROOT, 'openapi.yaml'), 'utf8'));
    for (const operations of Object.values<Record<string, { operationId: string }>>(paths)) {
      for (const { operationId } of Object.values(operations)) expect(dom).toContain(operationId);
    }
  });
});
