import type { Clock } from '../../../host/clock.js';
import { Outcome } from '../../../model/outcome.js';
import type { AllocatedMemory, Balloon, Disk, GuestMemory, KvmStatistics, Migration, Told, VcpuThread, VmmAnswer } from '../answer.js';
import { isTold } from '../answer.js';
import { countOf } from '../json-fields.js';
import { type Medium, parseBlock, parseBlockStatistics } from './blocks.js';
import { type Command, DEVICE_ROOTS } from './commands.js';
import type { Dialect, Topic } from './dialect.js';
import { balloonPath, parseGuestStats } from './guest-stats.js';
import { KvmSums, namesOf, parseSchemas, type Schema, type Target } from './kvm-stats.js';
import { parseBalloon, parseCpus, parseMemorySize, parseStatus } from './machine-state.js';
import { parseMigration } from './migration.js';
import type { Reply } from './session.js';

/** query-block looks at every image file, in the VMM's main loop before QEMU 8.2; sizes and limits change seldom. */
const MEDIA_MS = 60_000;
/** A reply for more would come near the size that is read; they have the door of debugfs. */
const MAX_STATS_VCPUS = 256;

/** What is found out once in a conversation and stays true for its process. */
export class Findings {
  /** Commands that it does not have. */
  readonly missing = new Set<string>();
  schema: Schema | null = null;
  /** Path of the balloon; null where there is none. */
  balloon: string | null | undefined;
  isPolling = false;
  media: ReadonlyMap<string, Medium> = new Map();
  mediaAt = Number.NEGATIVE_INFINITY;
}

export interface BatchOptions {
  readonly dialect: Dialect;
  readonly clock: Clock;
  /** Seconds between two samples of guest memory that QEMU is told to take where it takes none; null where it must not be told. */
  readonly pollingSeconds: number | null;
}

/** One round of questions over a session that is negotiated. Rejects when the session ends; the rest are outcomes by topic. */
export class Batch {
  constructor(
    private readonly execute: (command: Command) => Promise<Reply>,
    private readonly findings: Findings,
    private readonly options: BatchOptions,
  ) {}

  /** All topics but `events` and `version`, which nobody asks for. */
  async run(): Promise<Omit<VmmAnswer, 'events' | 'version'>> {
    const state = await this.tell({ execute: 'query-status' }, parseStatus);
    const vcpus = await this.when('vcpus', () => this.vcpus());
    return {
      state,
      vcpus,
      memory: await this.when<AllocatedMemory>('memory', () => this.tell({ execute: 'query-memory-size-summary' }, parseMemorySize)),
      balloon: await this.when<Balloon>('balloon', () => this.tell({ execute: 'query-balloon' }, parseBalloon)),
      guest: await this.when('guest', () => this.guest()),
      disks: await this.when('disks', () => this.disks()),
      kvm: await this.when('kvm', () => this.kvm(isTold(vcpus) ? vcpus.length : 0)),
      migration: await this.when<Migration>('migration', () => this.tell({ execute: 'query-migrate' }, parseMigration)),
      // Nothing in QMP counts frames or knows the direction of an exit.
      vnics: Outcome.unsupported,
      exits: Outcome.unsupported,
    };
  }

  private async when<T>(topic: Topic, ask: () => Promise<Told<T>>): Promise<Told<T>> {
    return this.options.dialect.topics.includes(topic) ? ask() : Outcome.unsupported;
  }

  /** @param parse undefined for what has not the shape of an answer */
  private async tell<T>(command: Command, parse: (value: unknown) => T | undefined): Promise<Told<T>> {
    if (this.findings.missing.has(command.execute)) return Outcome.unsupported;
    const reply = await this.execute(command);
    if ('value' in reply) return parse(reply.value) ?? Outcome.malformed;
    if (reply.missing) this.findings.missing.add(command.execute);
    return reply.error;
  }

  private vcpus(): Promise<Told<readonly VcpuThread[]>> {
    const { dialect } = this.options;
    return this.tell({ execute: dialect.cpus.command }, (value) => parseCpus(value, dialect));
  }

  private async guest(): Promise<Told<GuestMemory>> {
    const path = await this.balloonDevice();
    if (typeof path === 'number') return path;
    await this.poll(path);
    const told = await this.tell({ execute: 'qom-get', arguments: { path, property: 'guest-stats' } }, (value) => {
      const memory = parseGuestStats(value);
      return memory === undefined ? undefined : { memory };
    });
    if (isTold(told)) return told.memory ?? Outcome.unsupported;
    // Perhaps it was unplugged, and another one is there.
    this.findings.balloon = undefined;
    return told;
  }

  private async balloonDevice(): Promise<Told<string>> {
    const { findings } = this;
    for (const root of findings.balloon === undefined ? DEVICE_ROOTS : []) {
      const told = await this.tell({ execute: 'qom-list', arguments: { path: root } }, (value) =>
        Array.isArray(value) ? { path: balloonPath(root, value) } : undefined,
      );
      if (!isTold(told)) return told;
      findings.balloon = told.path ?? null;
      if (told.path !== undefined) break;
    }
    return findings.balloon ?? Outcome.unsupported;
  }

  /** Only where nobody set an interval: an owner's own is not ours to change. It stays set when the agent leaves. */
  private async poll(path: string): Promise<void> {
    const { pollingSeconds } = this.options;
    if (pollingSeconds === null || this.findings.isPolling) return;
    const property = 'guest-stats-polling-interval';
    const reply = await this.execute({ execute: 'qom-get', arguments: { path, property } });
    if (!('value' in reply)) return;
    if (countOf(reply.value) === 0) await this.execute({ execute: 'qom-set', arguments: { path, property, value: pollingSeconds } });
    this.findings.isPolling = true;
  }

  private async disks(): Promise<Told<readonly Disk[]>> {
    const { findings } = this;
    const now = this.options.clock.monotonic();
    if (now - findings.mediaAt >= MEDIA_MS) {
      const media = await this.tell({ execute: 'query-block' }, parseBlock);
      findings.media = isTold(media) ? media : new Map();
      findings.mediaAt = now;
    }
    return this.tell({ execute: 'query-blockstats' }, (value) => parseBlockStatistics(value, findings.media));
  }

  private async kvm(vcpus: number): Promise<Told<KvmStatistics>> {
    const schema = this.findings.schema ?? (await this.tell({ execute: 'query-stats-schemas' }, parseSchemas));
    if (typeof schema === 'number') return schema;
    this.findings.schema = schema;
    if (schema.vm.size + schema.vcpu.size === 0) return Outcome.unsupported;
    if (vcpus > MAX_STATS_VCPUS) return Outcome.tooLarge;
    const sums = new KvmSums(schema);
    for (const target of ['vcpu', 'vm'] as const) {
      const told = await this.statistics(target, schema, sums);
      if (typeof told === 'number') return told;
    }
    return sums.statistics;
  }

  private async statistics(target: Target, schema: Schema, sums: KvmSums): Promise<Told<object>> {
    const names = namesOf(schema, target);
    if (names.length === 0) return {};
    return this.tell({ execute: 'query-stats', arguments: { target, providers: [{ provider: 'kvm', names }] } }, (value) =>
      sums.add(target, value) ? {} : undefined,
    );
  }
}
