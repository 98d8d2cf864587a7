import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../test/holding.js';
import { Host } from '../../host/host.js';
import { LineServer } from '../../host/line-server.js';
import { TraceHelper } from './trace-helper.js';
import { REQUEST_BYTES } from './trace-protocol.js';
import { TraceServer } from './trace-server.js';
import {
  allOff,
  type Hindrance,
  type Started,
  type TraceEnd,
  type TraceListener,
  type TraceRequest,
  type TraceRun,
  type TraceSource,
} from './trace-source.js';

const REQUEST: TraceRequest = { blocks: ['cpu', 'tcp'], intervalMs: 5000, slots: 4096 };
const BLOCKS = { ...allOff(['tcp'], 'missing_tracepoint'), cpu: null };
/** How much may come does not depend on how fast the machine is. */
const NEVER_MS = 3_600_000;
const END: TraceEnd = { cause: 'failed', block: 'cpu', reason: 'verifier', words: 'no' };

class FakeSource implements TraceSource {
  readonly pauseMs = 0;
  refusal: Hindrance | null = null;
  /** It ends before it is told that it began. */
  isEarly = false;
  readonly requests: TraceRequest[] = [];
  readonly listeners: TraceListener[] = [];
  asked = 0;

  hindrance = (): null => null;
  async start(request: TraceRequest, listener: TraceListener): Promise<Started> {
    this.requests.push(request);
    if (this.refusal) return { run: null, blocks: allOff(request.blocks, this.refusal.reason), hindrance: this.refusal };
    this.listeners.push(listener);
    if (this.isEarly) listener.ended(END);
    const run: TraceRun = { ring: () => undefined, renew: () => undefined, end: () => void this.asked++ };
    return { run, blocks: BLOCKS };
  }
}

class Heard implements TraceListener {
  readonly lines: string[] = [];
  readonly ends: TraceEnd[] = [];
  line(text: string): void {
    this.lines.push(text);
  }
  ended(end: TraceEnd): void {
    this.ends.push(end);
  }
}

let directory: string;
let path: string;
let source: FakeSource;
let server: TraceServer;
let door: LineServer;
let now: number;
let sockets: Socket[];
let runs: TraceRun[];
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-trace-'));
  path = join(directory, 'trace.sock');
  source = new FakeSource();
  now = 0;
  sockets = [];
  runs = [];
  server = new TraceServer(
    source,
    () => now,
    () => undefined,
    NEVER_MS,
  );
  door = new LineServer({ lineBytes: REQUEST_BYTES, budgetBytes: 1 << 20, unreadBytes: 1 << 20 }, (peer) => server.accept(peer));
  await door.listen({ path, gid: null });
});
afterEach(() => {
  for (const run of runs) run.end();
  for (const socket of sockets) socket.destroy();
  server.close();
  door.close();
  rmSync(directory, { recursive: true });
});

const helper = (lastWordsMs = NEVER_MS): TraceHelper => new TraceHelper(new Host(), path, lastWordsMs);
const started = async (heard = new Heard(), request = REQUEST): Promise<Started> => {
  const result = await helper().start(request, heard);
  if (result.run) runs.push(result.run);
  return result;
};
const running = async (heard = new Heard()): Promise<TraceRun> => (await started(heard)).run ?? expect.fail('it was refused');
/** Somebody who says this. */
const stranger = async (
  text: string,
): Promise<{ readonly socket: Socket; readonly said: () => string; readonly isClosed: () => boolean }> => {
  const socket = connect(path);
  sockets.push(socket);
  let said = '';
  let isClosed = false;
  socket.setEncoding('utf8').on('data', (more: string) => {
    said += more;
  });
  socket.on('close', () => {
    isClosed = true;
  });
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(text);
  return { socket, said: () => said, isClosed: () => isClosed };
};
/** The one before has ended, and its rest is over. */
const pass = (): void => {
  now += 10_000;
};

describe('an agent and its helper', () => {
  it('have a run: blocks, lines, its end', async () => {
    const heard = new Heard();
    expect(await started(heard)).toMatchObject({ blocks: BLOCKS });
    expect(source.requests).toEqual([REQUEST]);
    const long = `{"type": "map", "data": "${'é"\\'.repeat(100_000)}"}`;
    for (const line of ['', 'one', long]) source.listeners[0].line(line);
    source.listeners[0].ended(END);
    await until(() => heard.ends.length > 0);
    expect(heard.lines).toEqual(['', 'one', long]);
    expect(heard.ends).toEqual([END]);
    pass();
    await running();
  });

  it('have a run that is over at once', async () => {
    source.isEarly = true;
    const heard = new Heard();
    await running(heard);
    await until(() => heard.ends.length > 0);
    expect(heard.ends).toEqual([END]);
  });

  it('know why there is none', async () => {
    source.refusal = { reason: 'no_tracefs', words: 'tracefs is not mounted' };
    expect(await started()).toEqual({ run: null, blocks: allOff(['cpu', 'tcp'], 'no_tracefs'), hindrance: source.refusal });
  });

  it('are one pair at a time, until the program of the one before has ended', async () => {
    const first = new Heard();
    const run = await running(first);
    expect(await started()).toMatchObject({ run: null, hindrance: { reason: 'no_helper', words: 'another is served' } });
    run.end();
    run.end();
    await until(() => source.asked > 0);
    pass();
    expect(await started()).toMatchObject({ run: null, hindrance: { words: 'another is served' } });
    source.listeners[0].line('last words');
    source.listeners[0].ended(END);
    await until(() => first.ends.length > 0);
    expect(first.lines).toEqual(['last words']);
    expect(await started()).toMatchObject({ run: null, hindrance: { words: 'the last run ended a moment ago' } });
    pass();
    await running();
    expect(source.requests).toHaveLength(2);
    expect(first.ends).toHaveLength(1);
  });

  it('part after a while where the helper does not end it', async () => {
    const heard = new Heard();
    const { run } = await helper(1).start(REQUEST, heard);
    run?.end();
    await until(() => heard.ends.length > 0);
    expect(heard.ends).toMatchObject([{ cause: 'exited' }]);
    // It hears that nobody is there any more.
    await until(() => source.asked > 1);
  });

  it('part when the agent goes, and the program is ended', async () => {
    const { socket, said } = await stranger(`trace ${JSON.stringify({ version: 1, ...REQUEST })}\n`);
    await until(() => said().startsWith('began '));
    socket.destroy();
    await until(() => source.asked > 0);
  });

  it('part when the helper goes', async () => {
    const heard = new Heard();
    await running(heard);
    server.close();
    await until(() => heard.ends.length > 0);
    expect(heard.ends).toMatchObject([{ cause: 'gone', reason: 'no_helper' }]);
  });

  it('do not find each other where there is no socket, or nobody behind it', async () => {
    door.close();
    expect(helper().hindrance()).toMatchObject({ reason: 'no_helper' });
    expect(await started()).toMatchObject({ run: null, hindrance: { reason: 'no_helper' } });
  });
});

describe('a stranger', () => {
  const HELLO = 'trace {"version":1,"blocks":["cpu"],"intervalMs":1000,"slots":1024}\n';

  it.each([
    ['something else', 'GET / HTTP/1.1\r\n'],
    ['another version', 'trace {"version":2}\n'],
    ['a long line', 'x'.repeat(REQUEST_BYTES + 10)],
  ])('that says %s is let go, and nothing is started', async (_, text) => {
    const { isClosed } = await stranger(text);
    await until(isClosed);
    expect(source.requests).toEqual([]);
    await running();
  });

  it.each(['ring 0', 'ring -1', 'ring 1 x', 'BEGIN { system("id") }', HELLO.trim(), ''])(
    'that then says %j is let go, and the program ended',
    async (text) => {
      const { isClosed } = await stranger(`${HELLO}${text}\n`);
      await until(isClosed);
      await until(() => source.asked > 0);
    },
  );

  it('that wants the end before there is a beginning is let go', async () => {
    const { isClosed } = await stranger('end\n');
    await until(isClosed);
    expect(source.requests).toEqual([]);
  });

  it('that rings is obeyed: it does nothing to anybody', async () => {
    const { said, isClosed } = await stranger(`${HELLO}ring ${process.pid} 2147483647 1\n`);
    await until(() => said().startsWith('began '));
    source.listeners[0].line('after');
    await until(() => said().endsWith('line after\n'));
    expect(isClosed()).toBe(false);
  });

  it('that does not read is let go, and the program ended', async () => {
    const { socket } = await stranger(HELLO);
    socket.pause();
    await until(() => source.listeners.length > 0);
    const line = 'x'.repeat(100_000);
    for (let i = 0; i < 200; i++) source.listeners[0].line(line);
    await until(() => source.asked > 0);
  });

  it('that floods is let go', async () => {
    const { socket, isClosed } = await stranger(HELLO);
    await until(() => source.listeners.length > 0);
    const line = `ring ${'2147483647 '.repeat(5000).trim()}\n`;
    socket.write(line.repeat(40));
    await until(isClosed);
  });
});
