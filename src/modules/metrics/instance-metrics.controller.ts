import { Controller, Get, Param, Req, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Doc } from '../../http/doc.js';
import { ProblemFilter } from '../../http/problem.filter.js';
import { ApiError } from '../../model/errors.js';
import { Collection } from '../collection/collection.js';
import { Registry } from '../instances/registry.js';
import { MetricsController } from './metrics.controller.js';

/** The exposition of one running instance alone. */
@Controller('instances')
@UseFilters(ProblemFilter)
export class InstanceMetricsController {
  constructor(
    private readonly metrics: MetricsController,
    private readonly collection: Collection,
    private readonly registry: Registry,
  ) {}

  @Get(':id/metrics')
  @Doc({
    operationId: 'getInstanceMetrics',
    tag: 'metrics',
    summary: 'One running instance for Prometheus',
    description:
      'Families of a Kata sandbox have the names that its shim gives them and no label that says whose they are, as `kata-runtime metrics` prints them.',
    ok: {
      description: 'Exposition text of this instance alone.',
      contentType: 'text/plain',
      also: ['application/openmetrics-text'],
      example: 'two-qemu/instance-metrics.txt',
    },
    errors: ['invalid_id', 'unauthorized', 'not_found', 'ambiguous', 'rate_limited'],
  })
  async one(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const instance = this.registry.get(id);
    await this.collection.fresh(instance);
    if (instance.row < 0) throw new ApiError('not_found', `Container ID (${id}) does not exist`);
    await this.metrics.send(request, reply, { alone: instance.id });
  }
}
