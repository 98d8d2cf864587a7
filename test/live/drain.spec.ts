import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type RunningAgent, startAgent } from './agent.js';
import { Cleanup } from './cleanup.js';
import { expectProblem } from './problem.js';
import { parse, RawConnection } from './raw-connection.js';
import { until } from './until.js';

const cleanup = new Cleanup();
const BODY = '{"name":"drained"}';
const HEAD = `PUT /instances/drained HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n`;

/** With registration on: a body that comes in halves is an answer under way for as long as the test likes. */
async function start(...flags: string[]): Promise<RunningAgent> {
  const directory = cleanup.directory();
  writeFileSync(join(directory, 'tokens'), 'secret\n');
  const registration = [`--source.registration.token-file=${directory}/tokens`, `--source.registration.store=${directory}/store.json`];
  return startAgent(cleanup, [...registration, ...flags]);
}

async function connect(agent: RunningAgent): Promise<RawConnection> {
  const connection = await RawConnection.open(agent.port);
  cleanup.add(() => connection.destroy());
  return connection;
}

/** The agent has taken the signal in: it takes no new connections. */
const refusing = (agent: RunningAgent): Promise<true> =>
  until(
    async () => {
      try {
        (await RawConnection.open(agent.port)).destroy();
        return undefined;
      } catch {
        return true as const;
      }
    },
    () => 'connections refused',
  );

describe('after SIGTERM', () => {
  it('an answer under way is finished, readyz says 503, nobody new is let in, and the exit is 0 though a client keeps its connection', async () => {
    const agent = await start('--web.drain-timeout=10m');
    const [idle, half, probe] = [await connect(agent), await connect(agent), await connect(agent)];
    idle.send('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
    await idle.answer();
    half.send(HEAD + BODY.slice(0, 5));
    probe.send('GET /readyz HTTP/1.1\r\nHost: x\r\n');
    // The agent reads its connections in turn: what came on an older one is read when a newer one is answered.
    await agent.get('/livez');

    agent.child.signal('SIGTERM');
    await refusing(agent);
    expect(agent.child.running).toBe(true);
    probe.send('\r\n');
    const notReady = await probe.answer();
    expectProblem(notReady, 503, 'unavailable');
    expect(notReady.head).toMatch(/^connection: close$/im);

    half.send(BODY.slice(5));
    const finished = await half.answer();
    expect({ status: finished.status, body: JSON.parse(finished.body) }).toMatchObject({ status: 200, body: { id: 'drained' } });
    expect(await agent.child.ended).toEqual({ code: 0, signal: null });
  });

  it('a connection that never said anything is closed at the deadline and the exit is 0', async () => {
    const agent = await start('--web.drain-timeout=500ms');
    const silent = await connect(agent);
    await agent.get('/livez');
    agent.child.signal('SIGTERM');
    expect(await silent.end()).toBe('');
    expect(await agent.child.ended).toEqual({ code: 0, signal: null });
  });

  it('an answer that takes longer than the deadline is cut and the exit is 0, also after a second signal', async () => {
    const agent = await start('--web.drain-timeout=500ms');
    const half = await connect(agent);
    half.send(HEAD + BODY.slice(0, 5));
    await agent.get('/livez');
    agent.child.signal('SIGTERM');
    agent.child.signal('SIGINT');
    expect(parse(await half.end())?.status).not.toBe(200);
    expect(await agent.child.ended).toEqual({ code: 0, signal: null });
  });
});
