import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { runAgent } from './agent.js';
import { Child, type Ended, keep } from './child.js';
import type { Cleanup } from './cleanup.js';
import { startTicksOf } from './vm.js';

/** A process that is an instance because a file of the operator says so. */
export interface StandIn {
  readonly id: string;
  readonly name?: string;
  readonly pid: number;
  readonly start_ticks: number;
  readonly vcpus: number;
  readonly memory_bytes: number;
}

export function startStandIn(cleanup: Cleanup, id: string, name?: string): StandIn {
  const { pid } = keep(cleanup, new Child('sleep', ['100000']));
  return { id, ...(name === undefined ? {} : { name }), pid, start_ticks: startTicksOf(pid), vcpus: 2, memory_bytes: 2 ** 30 };
}

/** @returns the environment in which the file is read, by an agent and by a command alike */
export function listFile(cleanup: Cleanup, instances: readonly object[]): Readonly<Record<string, string>> {
  const path = join(cleanup.directory(), 'instances.json');
  writeFileSync(path, JSON.stringify({ instances }));
  return { VMGAUGE_SOURCE_FILE_PATH: path };
}

/** How a command ended and all it wrote. */
export async function command(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { code, stdout, stderr }: Child & Ended = await runAgent(words, env);
  return { code, stdout, stderr };
}

/** A server that is no agent. @param answer what it writes to a connection that has asked; it stays open unless `end` says otherwise */
export async function startStranger(cleanup: Cleanup, answer: string, end?: 'end' | 'reset'): Promise<{ listen: string; asked: string[] }> {
  const path = join(cleanup.directory(), 'stranger.sock');
  const asked: string[] = [];
  const server: Server = createServer((socket) => {
    cleanup.add(() => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      asked.push(bytes.toString('latin1'));
      if (end === 'reset') socket.destroy();
      else if (end === 'end') socket.end(answer);
      else if (answer !== '') socket.write(answer);
    });
  });
  cleanup.add(() => server.close());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return { listen: `--web.listen-address=unix:${path}`, asked };
}

/** An HTTP answer of one connection. */
export const http = (status: string, body: string, headers = ''): string =>
  `HTTP/1.1 ${status}\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;
