import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type * as Embed from '../../src/embed.js';
import type { Hypervisor, InstanceRecord, Runtime } from '../../src/model/instance.js';
import type { Settings } from '../../src/model/settings.js';
import { RawSocket, type Reply } from '../raw-socket.js';
import { DIST, RunningAgent, record } from './agent.js';
import { Child, keep } from './child.js';
import type { Cleanup } from './cleanup.js';
import { until } from './until.js';
import { startTicksOf } from './vm.js';

/** Whoever sleeps may be taken for anything: what a shim or a VMM does is not asked here. */
const sleeper = (cleanup: Cleanup): Child => keep(cleanup, new Child('sleep', ['100000']));

/** What stands where a shim listens: a server, or something else that is put there. */
export type Place = { readonly reply: Reply } | { put(path: string): void | Promise<void> };

export interface Kind {
  readonly runtime?: Runtime;
  readonly hypervisor?: Hypervisor;
}

/** Processes that are called a sandbox, and what stands where its shim listens. */
export class SandboxStandIn {
  private constructor(
    readonly id: string,
    readonly directory: string,
    readonly record: InstanceRecord,
    readonly shim: Child,
    /** Missing where something else stands in its place. */
    readonly socket: RawSocket | undefined,
  ) {}

  static async start(cleanup: Cleanup, root: string, id: string, place: Place, kind: Kind = {}): Promise<SandboxStandIn> {
    const { runtime = 'go', hypervisor = 'qemu' } = kind;
    const directory = join(root, id);
    mkdirSync(directory);
    const path = join(directory, 'shim-monitor.sock');
    const socket = 'reply' in place ? await RawSocket.listen(path, place.reply) : undefined;
    if (socket) cleanup.add(() => socket.close());
    if ('put' in place) await place.put(path);
    const vmmInShim = hypervisor === 'dragonball';
    const shim = sleeper(cleanup);
    const vmm = vmmInShim ? shim : sleeper(cleanup);
    const claim = (child: Child) => ({ pid: child.pid, startTicks: startTicksOf(child.pid) });
    const pod = { uid: `uid-of-${id}`, name: `pod-of-${id}`, namespace: 'shop' };
    const record: InstanceRecord = {
      ...{ id, hypervisor, process: claim(vmm), companions: [{ role: 'shim', ...claim(shim) }] },
      sandbox: { runtime, hypervisor, vmmInShim, directory, pod },
    };
    return new SandboxStandIn(id, directory, record, shim, socket);
  }

  get labels(): string {
    return `sandbox_id="${this.id}",cri_uid="uid-of-${this.id}",cri_name="pod-of-${this.id}",cri_namespace="shop"`;
  }
}

/** The built agent's rooms in this process, over sandboxes that the test tells of; settings as no flag could give them. */
export async function embeddedAgent(
  cleanup: Cleanup,
  sandboxes: readonly SandboxStandIn[],
  settings: Partial<Settings>,
): Promise<RunningAgent> {
  // The package's own types, from where it is made of.
  const { VmgaugeModule } = (await import(pathToFileURL(join(DIST, 'embed.js')).href)) as typeof Embed;
  const told = { name: 'told', list: () => sandboxes.map(({ record }) => record) };
  const others = new Map(['registration', 'file', 'hypeman', 'libvirt', 'kata', 'host'].map((name) => [name, false]));
  const module = VmgaugeModule.register({
    sources: [told],
    settings: { sources: others, rescanIntervalMs: 200, sweepIntervalMs: 200, maxAgeMs: 0, exporterMetrics: false, ...settings },
  });
  const app = await NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), { logger: ['error'], abortOnError: false });
  cleanup.add(() => app.close());
  await app.listen(0, '127.0.0.1');
  return new RunningAgent(sandboxes[0].shim, await app.getUrl());
}

/** `collectors.shim_socket` of a sandbox once it is no longer busy. */
export async function socketOutcome(agent: RunningAgent, id: string): Promise<Record<string, unknown>> {
  return until(
    async () => {
      const outcome = record(record((await agent.json(`/instances/${id}/stats`)).collectors).shim_socket);
      return outcome.reason === 'busy' ? undefined : outcome;
    },
    () => `an outcome for ${id}`,
  );
}
