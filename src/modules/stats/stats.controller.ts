import { Readable } from 'node:stream';
import { Controller, Get, Headers, Query, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Doc } from '../../http/doc.js';
import { ProblemFilter } from '../../http/problem.filter.js';
import type { Subject } from '../../model/collector.js';
import { timestamp } from '../../model/units.js';
import { Collection } from '../collection/collection.js';
import { Instance } from '../instances/instance.js';
import { HostView } from './host.view.js';
import { parseWindow } from './instances.controller.js';
import { StatsView } from './stats.view.js';

const NDJSON = 'application/x-ndjson';

/** All instances from one sweep, so that their numbers can be compared and added. */
@Controller('stats')
@UseFilters(ProblemFilter)
export class StatsController {
  constructor(
    private readonly collection: Collection,
    private readonly stats: StatsView,
    private readonly ofHost: HostView,
  ) {}

  @Get()
  @Doc({
    operationId: 'getAllStats',
    tag: 'instances',
    summary: 'Statistics of all running instances, from one sweep',
    description: `One object, or one line per instance when Accept asks for ${NDJSON}.`,
    ok: {
      description: 'The stats documents, and how far apart they were read.',
      contentType: 'application/json',
      also: [NDJSON],
      schema: 'AllStats',
      example: 'two-qemu/all-stats.json',
    },
    errors: ['invalid_request', 'unauthorized'],
    query: [{ name: 'window', description: 'As for one instance.' }],
  })
  async all(@Res() reply: FastifyReply, @Headers('accept') accept?: string, @Query('window') window?: string): Promise<void> {
    const windowSeconds = window === undefined ? undefined : parseWindow(window);
    await this.collection.fresh();
    const lines = accept?.includes(NDJSON) ?? false;
    const text = await this.collection.read(() => this.text(lines, windowSeconds));
    void reply.headers({ 'content-type': lines ? NDJSON : 'application/json; charset=utf-8', 'cache-control': 'no-store' });
    // A stream: one string of many megabytes would be copied in one turn of the event loop.
    await reply.send(Readable.from(text, { objectMode: true }));
  }

  /** Made whole inside one sweep, whatever the speed of the reader. */
  private async text(lines: boolean, windowSeconds: number | undefined): Promise<string[]> {
    const { sequence, startedMs, skewMs } = this.collection.last;
    const documents: string[] = [];
    const instances = this.collection.order.keys.filter(isInstance);
    for await (const document of this.stats.documents(instances, windowSeconds)) documents.push(document);
    if (lines) return documents.map((document) => `${document}\n`);
    const head = `{"collected_at":${JSON.stringify(timestamp(startedMs))},"skew_ms":${Number(skewMs.toFixed(3))},"sequence":${sequence},"host":{${this.ofHost.json()}},"instances":[`;
    return [head, ...documents.map((document, index) => (index === 0 ? document : `,${document}`)), ']}'];
  }
}

const isInstance = (subject: Subject): subject is Instance => subject instanceof Instance;
