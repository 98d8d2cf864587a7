import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startAgent } from './agent.js';
import { Cleanup } from './cleanup.js';
import { expectProblem } from './problem.js';
import { until } from './until.js';

const cleanup = new Cleanup();

describe('more scrapes than web.max-requests', () => {
  it('are refused with Retry-After until the reader of the first has taken its page', async () => {
    const directory = cleanup.directory();
    // The page must not fit into what the kernel holds for one socket (net.core.wmem_default, some 200 KB).
    const instances = Array.from({ length: 10_000 }, (_, n) => ({ id: `${'x'.repeat(100)}${n}` }));
    writeFileSync(join(directory, 'instances.json'), JSON.stringify({ instances }));
    const socket = join(directory, 'agent.sock');
    await startAgent(cleanup, [
      `--web.listen-address=unix:${socket}`,
      '--web.max-requests=1',
      `--source.file.path=${directory}/instances.json`,
    ]);

    const stuck = connect(socket);
    cleanup.add(() => stuck.destroy());
    stuck.write('GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    stuck.pause();
    const refused = await until(
      async () => {
        const answer = await scrape(socket);
        return answer.status === 429 ? answer : undefined;
      },
      () => 'a refused scrape',
    );
    expect(refused.retryAfter).toBe('1');
    expectProblem(refused, 429, 'rate_limited');
    stuck.resume();
    await until(
      async () => ((await scrape(socket)).status === 200 ? true : undefined),
      () => 'an answered scrape',
    );
  });
});

interface Scraped {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly retryAfter: string | undefined;
}

function scrape(socketPath: string): Promise<Scraped> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: '/metrics', agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      const { statusCode = 0, headers } = response;
      response.on('end', () =>
        resolve({ status: statusCode, type: headers['content-type'] ?? '', body, retryAfter: headers['retry-after'] }),
      );
    });
    asked.on('error', reject).end();
  });
}
