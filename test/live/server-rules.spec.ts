import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type RunningAgent, runAgent, startAgent } from './agent.js';
import { Cleanup } from './cleanup.js';
import { parse, RawConnection } from './raw-connection.js';

const cleanup = new Cleanup();
const SAFETY = ['x-content-type-options: nosniff', 'x-frame-options: DENY', 'x-xss-protection: 1; mode=block'];

function expectSafety(head: string): void {
  const lines = head.split('\r\n').map((line) => line.replace(/^[^:]*:/, (name) => name.toLowerCase()));
  for (const line of SAFETY) expect(lines).toContain(line);
}

describe('where the agent listens', () => {
  const hasIpv6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'));
  if (!hasIpv6) process.stderr.write('skipped: listening on [::1]: this host has no IPv6\n');
  it.each(['127.0.0.1:0', 'localhost:0', 'LOCALHOST:0', '127.9.9.9:0', ...(hasIpv6 ? ['[::1]:0', '[::ffff:127.0.0.1]:0'] : [])])(
    '%s is this host alone and needs no word more',
    async (address) => {
      const agent = await startAgent(cleanup, [`--web.listen-address=${address}`]);
      expect((await agent.get('/livez')).status).toBe(200);
      await agent.stop();
      expect(agent.child.stderr).not.toContain('"level":"warn"');
    },
  );

  const open = ['0.0.0.0:0', '[::]:0', 'vm-host:0', ':3000', 'vm-host.example.org:3000', '10.0.0.1:3000', '[2001:db8::1]:3000'];
  it.each(open)('%s can be reached by others: without a token file nobody listens', async (address) => {
    const { code, stderr } = await runAgent([`--web.listen-address=${address}`]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/web\.listen-address.*web\.token-file/) });
  });

  it('a socket of the file system is nobody’s network', async () => {
    const agent = await startAgent(cleanup, [`--web.listen-address=unix:${join(cleanup.directory(), 'agent.sock')}`]);
    await agent.stop();
    expect(agent.child.stderr).not.toContain('"level":"warn"');
  });
});

describe('the rate limit', () => {
  let agent: RunningAgent;
  beforeAll(async () => {
    // The burst as it ships; one a second, so that no machine is slow enough to be given all.
    agent = await startAgent(cleanup, ['--web.rate-limit=1']);
  });

  it('shows both 200 and 429 to 200 requests in a burst, and all headers on either', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, () => agent.get('/metrics?collect[]=self')));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]));
    for (const { status, headers } of answers) {
      const [type, frame, script] = ['x-content-type-options', 'x-frame-options', 'x-xss-protection'].map((name) => headers.get(name));
      expect([type, frame, script]).toEqual(['nosniff', 'DENY', '1; mode=block']);
      if (status === 429) expect(headers.get('retry-after')).toBe('1');
    }
    const refused = answers.find(({ status }) => status === 429);
    expect(await refused?.text()).toBe('Rate limit exceeded');
    expect((await agent.get('/livez')).status).toBe(200);
  });
});

describe('whoever takes too long', () => {
  let agent: RunningAgent;
  beforeAll(async () => {
    agent = await startAgent(cleanup, []);
  });

  it.each([
    ['its headers', 'GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: '],
    ['its body', 'POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{'],
  ])('over %s is answered without them, with all headers', async (_, bytes) => {
    const slow = await RawConnection.open(agent.port);
    cleanup.add(() => slow.destroy());
    slow.send(bytes);
    const answer = parse(await slow.end());
    expect(answer?.status).toBe(408);
    expectSafety(answer?.head ?? '');
  });

  it('sends more than fits gets a 413 with all headers', async () => {
    const big = await RawConnection.open(agent.port);
    cleanup.add(() => big.destroy());
    big.send('PUT /instances/x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1048576\r\n\r\n{');
    const { status, head } = await big.answer();
    expect(status).toBe(413);
    expectSafety(head);
  });
});
