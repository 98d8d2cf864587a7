import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Controller, Get, Req, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Doc } from '../../http/doc.js';
import { ProblemFilter } from '../../http/problem.filter.js';
import { Refusals } from '../../http/refusals.js';
import { ApiError } from '../../model/errors.js';
import { Settings } from '../../model/settings.js';
import { secondsToMilliseconds } from '../../model/units.js';
import { Collection } from '../collection/collection.js';
import { Registry } from '../instances/registry.js';
import { Exposition, type Selection } from './exposition.js';
import { acceptsGzip, negotiate } from './format.js';
import { KataMonitor } from './kata-monitor.js';

const compress = promisify(gzip);
/** Level 1 costs a third of level 6 and gives nine tenths of it; below this size a packet is a packet. */
const GZIP = { level: 1 };
const GZIP_FROM_BYTES = 1024;
const TIMEOUT_HEADER = 'x-prometheus-scrape-timeout-seconds';
/** Left of the scraper's patience for rendering and sending. */
const TIMEOUT_RESERVE_SECONDS = 0.5;

/** Prometheus text. nestjs-prometheus registers this controller and gives it its path. */
@Controller()
@UseFilters(ProblemFilter)
export class MetricsController {
  private underWay = 0;

  constructor(
    private readonly exposition: Exposition,
    private readonly collection: Collection,
    private readonly registry: Registry,
    private readonly settings: Settings,
    private readonly kata: KataMonitor,
    private readonly refusals: Refusals,
  ) {}

  @Get()
  @Doc({
    operationId: 'getMetrics',
    tag: 'metrics',
    summary: 'Everything for Prometheus',
    description: 'Text 0.0.4 or OpenMetrics 1.0 by Accept, gzip by Accept-Encoding. Honours X-Prometheus-Scrape-Timeout-Seconds.',
    ok: {
      description: 'Exposition text of one sweep.',
      contentType: 'text/plain',
      also: ['application/openmetrics-text'],
      example: 'two-qemu/metrics.txt',
    },
    errors: ['invalid_id', 'invalid_request', 'unauthorized', 'not_found', 'ambiguous', 'rate_limited', 'unavailable'],
    query: [
      { name: 'collect[]', description: 'Only these groups: collector names, or `self`.', type: 'array' },
      { name: 'exclude[]', description: 'All but these groups.', type: 'array' },
      { name: 'instance', description: 'Only these instances, by id, name or unique prefix; nothing about the agent.', type: 'array' },
      { name: 'sandbox', description: 'The same as `instance`.', type: 'array' },
      { name: 'filter_family', description: 'Only families whose name begins with one of these, separated by commas.' },
    ],
  })
  metrics(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.kata.scrape(() => this.scrape(request, reply));
  }

  private async scrape(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (this.underWay >= this.settings.maxRequests) {
      this.refusals.add('busy');
      throw new ApiError('rate_limited', `${this.settings.maxRequests} scrapes are under way`, { 'retry-after': '1' });
    }
    this.underWay++;
    reply.raw.once('close', () => this.underWay--);
    const selection = this.selection(request.query);
    this.exposition.check(selection);
    await this.fresh(request.headers[TIMEOUT_HEADER]);
    await this.send(request, reply, selection);
  }

  /** One page, sent as one buffer. Its storage is used again only when the connection is done with it. */
  async send(request: FastifyRequest, reply: FastifyReply, selection: Selection): Promise<void> {
    const format = negotiate(request.headers.accept);
    const page = await this.exposition.page(format, selection);
    void reply.headers({ 'content-type': format.contentType, 'cache-control': 'no-store', vary: 'accept, accept-encoding' });
    if (page.bytes.length >= GZIP_FROM_BYTES && acceptsGzip(request.headers['accept-encoding'])) {
      const compressed = await compress(page.bytes, GZIP);
      page.release();
      await reply.header('content-encoding', 'gzip').send(compressed);
      return;
    }
    reply.raw.once('close', page.release);
    await reply.send(page.bytes);
  }

  /** A new sweep where the last one is too old; where the scraper's patience ends first, the last one after all. */
  private async fresh(header: string | string[] | undefined): Promise<void> {
    const seconds = Number(header);
    if (!(seconds > 0)) return this.collection.fresh();
    const patience = secondsToMilliseconds(Math.max(0, seconds - TIMEOUT_RESERVE_SECONDS));
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([this.collection.fresh(), new Promise((resolve) => (timer = setTimeout(resolve, Math.min(patience, 2 ** 31 - 1))))]);
    clearTimeout(timer);
    if (this.collection.last.sequence === 0) throw new ApiError('unavailable', 'no sweep has finished yet', { 'retry-after': '1' });
  }

  private selection(query: unknown): Selection {
    const words = (name: string): string[] => valuesOf(query, name);
    const keys = [...words('instance'), ...words('sandbox')];
    return {
      collect: words('collect[]'),
      exclude: words('exclude[]'),
      families: words('filter_family').flatMap((list) => list.split(',').filter((prefix) => prefix !== '')),
      ...(keys.length > 0 ? { instances: new Set(keys.map((key) => this.registry.get(key).id)) } : {}),
    };
  }
}

/** Values of a query parameter that may stand once or more often. */
function valuesOf(query: unknown, name: string): string[] {
  const value: unknown = typeof query === 'object' && query !== null ? Reflect.get(query, name) : undefined;
  return [value].flat().filter((word): word is string => typeof word === 'string');
}
