import { Controller, Get, Header, Param, Query, UseFilters, ValidationPipe } from '@nestjs/common';
import { Doc } from '../../http/doc.js';
import { ProblemFilter } from '../../http/problem.filter.js';
import { ApiError } from '../../model/errors.js';
import { HYPERVISORS, STATES } from '../../model/instance.js';
import { Collection } from '../collection/collection.js';
import { MAX_WINDOW_SECONDS } from '../collection/history.js';
import { Registry } from '../instances/registry.js';
import { InstanceView } from './instance.view.js';
import { InstanceListQuery } from './instance-list.query.js';
import { StatsView } from './stats.view.js';

const JSON_TYPE = 'application/json; charset=utf-8';
const strict = new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true });

/** Instances as JSON. The stats route sends ready strings: no pipe, no serializer, nothing awaited that need not be. */
@Controller('instances')
@UseFilters(ProblemFilter)
export class InstancesController {
  constructor(
    private readonly registry: Registry,
    private readonly collection: Collection,
    private readonly stats: StatsView,
    private readonly view: InstanceView,
  ) {}

  @Get()
  @Header('cache-control', 'no-store')
  @Doc({
    operationId: 'listInstances',
    tag: 'instances',
    summary: 'List the instances of this host',
    description: 'Sorted by id. Stopped instances are listed while they are remembered.',
    ok: {
      description: 'The instances that satisfy all filters.',
      contentType: 'application/json',
      schema: 'InstanceList',
      example: 'two-qemu/instances.json',
    },
    errors: ['invalid_request', 'unauthorized'],
    query: [
      { name: 'source', description: 'Only instances that this source knows.' },
      { name: 'hypervisor', description: 'Only instances of this hypervisor.', values: HYPERVISORS },
      { name: 'state', description: 'Only instances in this state.', values: STATES },
      { name: 'name', description: 'Only instances with exactly this name.' },
      { name: 'limit', description: 'At most so many, 1000 without it.', type: 'integer' },
      { name: 'cursor', description: '`next_cursor` of the page before.' },
    ],
  })
  list(@Query(strict) query: InstanceListQuery): object {
    return this.view.list(this.registry.all(), query);
  }

  @Get(':id')
  @Header('cache-control', 'no-store')
  @Doc({
    operationId: 'getInstance',
    tag: 'instances',
    summary: 'One instance: its process, interfaces, sockets and cgroups',
    ok: {
      description: 'What identifies the instance.',
      contentType: 'application/json',
      schema: 'Instance',
      example: 'two-qemu/instance.json',
    },
    errors: ['invalid_id', 'unauthorized', 'not_found', 'ambiguous'],
  })
  one(@Param('id') id: string): object {
    return this.view.one(this.registry.get(id));
  }

  @Get(':id/stats')
  @Header('content-type', JSON_TYPE)
  @Header('cache-control', 'no-store')
  @Doc({
    operationId: 'getInstanceStats',
    tag: 'instances',
    summary: 'Statistics of one instance',
    description:
      'The ten fields of hypeman stand at the top level, everything else in groups. A value that could not be read is null and `collectors` says why. A stopped instance answers its last sample.',
    ok: { description: 'The stats document.', contentType: 'application/json', schema: 'InstanceStats', example: 'two-qemu/stats.json' },
    errors: ['invalid_id', 'invalid_request', 'unauthorized', 'not_found', 'ambiguous'],
    query: [
      {
        name: 'window',
        description: `Seconds over which \`rates\` are formed, as \`30s\` or \`5m\`, at most ${MAX_WINDOW_SECONDS}s; without it they are over the last two sweeps.`,
      },
    ],
  })
  async statsOf(@Param('id') id: string, @Query('window') window?: string): Promise<string> {
    const instance = this.registry.get(id);
    const windowSeconds = window === undefined ? undefined : parseWindow(window);
    await this.collection.fresh(instance);
    return this.stats.json(instance, windowSeconds);
  }
}

/** `30`, `30s`, `5m`. @throws ApiError invalid_request */
export function parseWindow(text: unknown): number {
  const match = typeof text === 'string' ? /^(\d{1,6})(s|m)?$/.exec(text) : null;
  const seconds = match ? Number(match[1]) * (match[2] === 'm' ? 60 : 1) : Number.NaN;
  if (seconds >= 1 && seconds <= MAX_WINDOW_SECONDS) return seconds;
  throw new ApiError('invalid_request', `window must be from 1s to ${MAX_WINDOW_SECONDS}s`);
}
