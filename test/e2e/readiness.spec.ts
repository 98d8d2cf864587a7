import { expect, it } from 'vitest';
import { Readiness } from '../../src/modules/health/readiness.js';
import { Agent } from './agent.js';
import { systemError } from './faults.js';
import { expectProblem } from './problem.js';
import { rootOf, story } from './stories.js';

const ROOT = rootOf(story('two-qemu'));

it('is not ready while it drains, and says so to whoever asks; the rest still answers and closes its connections', async () => {
  const agent = await Agent.start(ROOT);
  agent.app.get(Readiness).draining = true;
  const response = await agent.get('/readyz');
  expectProblem(response, 'unavailable', 'the agent is shutting down');
  expect(response.headers['retry-after']).toBe('1');
  const metrics = await agent.get('/metrics').expect(200);
  expect(metrics.headers.connection).toBe('close');
  await agent.get('/livez').expect(200, { status: 'ok' });
  await agent.stop();
});

it('is not ready while host discovery fails, keeps the instances it knows and shows it on /metrics', async () => {
  const agent = await Agent.start(ROOT);
  await agent.get('/readyz').expect(200, { status: 'ok' });
  const before = await agent.text('/instances');
  agent.host.faults.break(/^proc$/, { error: systemError('EACCES', '/proc') });
  await agent.rescan();
  expectProblem(await agent.get('/readyz'), 'unavailable', /host discovery fails: .*EACCES/);
  expect(await agent.text('/instances')).toBe(before);
  expect(await agent.text('/metrics')).toContain('\nvmgauge_source_up{source="host"} 0\n');
  agent.host.faults.mend();
  await agent.rescan();
  await agent.get('/readyz').expect(200, { status: 'ok' });
  expect(await agent.text('/metrics')).toContain('\nvmgauge_source_up{source="host"} 1\n');
  await agent.stop();
});

it('refuses a scrape beyond the limit with Retry-After, and nothing else', async () => {
  const agent = await Agent.start(ROOT, { settings: { maxRequests: 0 } });
  const response = await agent.get('/metrics');
  expectProblem(response, 'rate_limited', '0 scrapes are under way');
  expect(response.headers['retry-after']).toBe('1');
  await agent.get('/instances').expect(200);
  await agent.stop();
});

it('gives a scrape back its place, however it ended', async () => {
  const agent = await Agent.start(ROOT, { settings: { maxRequests: 1 } });
  for (const path of ['/metrics', '/metrics?collect[]=nonsense', '/metrics?instance=nobody', '/metrics?instance=%00', '/metrics']) {
    expect((await agent.get(path)).status).not.toBe(429);
  }
  await agent.stop();
});
