// Servers under measurement: the agent and what it is compared with, each a process of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { run } from './machine.mjs';

const START_MS = 60_000;
/** For what a server does behind an answer: collecting garbage, giving threads back. */
const SETTLE_MS = 40;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Load is many requests from one address; what tracing costs is measured where that is said. An older build does not know these. */
const CALM = { VMGAUGE_WEB_RATE_LIMIT: '0', VMGAUGE_TRACING_MODE: 'off', VMGAUGE_COLLECTOR_SOCKETS: 'false' };

export class Server {
  constructor(process, url) {
    this.process = process;
    this.url = url;
  }

  /** The agent as users start it. @param entry cli.js of the build; `executables` are taken for VMMs */
  static async agent(entry, executables, flags = [], nodeFlags = [], environment = {}) {
    const child = spawn(
      process.execPath,
      [
        ...nodeFlags,
        entry,
        '--log.format=text',
        '--log.level=info',
        '--web.listen-address=127.0.0.1:0',
        `--discovery.vmm-executables=${executables.join(',')}`,
        ...flags,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...CALM, ...environment } },
    );
    return new Server(child, await said(child, child.stderr, /listening on (http:[^\s"]+)/));
  }

  /** A server that prints its URL on its output. */
  static async node(script, args) {
    const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    return new Server(child, await said(child, child.stdout, /(http:\S+)/));
  }

  /** Any other program. @param args of a port that is free now */
  static async program(command, args) {
    const port = await freePort();
    const child = spawn(command, args(port), { stdio: 'ignore' });
    const server = new Server(child, `http://127.0.0.1:${port}`);
    const deadline = Date.now() + START_MS;
    while (!(await answers(server.url))) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`${command} does not answer`);
      await sleep(100);
    }
    return server;
  }

  /** CPU time of all its threads, milliseconds. A thread that ends takes its part along; these servers keep theirs. */
  cpuMs() {
    let ns = 0;
    for (const thread of readdirSync(`/proc/${this.process.pid}/task`)) {
      try {
        ns += Number(readFileSync(`/proc/${this.process.pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
      } catch {
        // It ended between the listing and the look.
      }
    }
    return ns / 1e6;
  }

  residentMiB() {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${this.process.pid}/status`, 'latin1'))[1]) / 1024;
  }

  /** One GET without gzip by a process that is not measured. @returns milliseconds of the server's CPU, bytes of the body */
  async get(path) {
    const before = this.cpuMs();
    const { stdout } = await run('curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code} %{size_download}', this.url + path]);
    await sleep(SETTLE_MS);
    const [status, bytes] = stdout.split(' ');
    if (status !== '200') throw new Error(`GET ${path} answered ${status}`);
    return { cpuMs: this.cpuMs() - before, bytes: Number(bytes) };
  }

  async text(path) {
    return (await fetch(this.url + path)).text();
  }

  async stop() {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exited = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await exited;
  }
}

async function said(child, stream, pattern) {
  let text = '';
  for await (const chunk of stream.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    text += chunk;
    const url = pattern.exec(text)?.[1];
    if (url) {
      stream.resume();
      return url;
    }
  }
  throw new Error(`${child.spawnargs.join(' ').slice(0, 120)} ended: ${text.slice(-1000)}`);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

const answers = async (url) => {
  try {
    return (await fetch(url)).status < 500;
  } catch {
    return false;
  }
};
