import { Controller, Get, Header } from '@nestjs/common';
import { Doc } from '../../http/doc.js';
import { ApiError } from '../../model/errors.js';
import { Readiness } from './readiness.js';

const OK = '{"status":"ok"}';
const JSON_TYPE = 'application/json; charset=utf-8';
const answer = (description: string) => ({ description, contentType: 'application/json', schema: 'Health', example: 'health.json' });

/** Probes: they ask for no token and touch no instance. */
@Controller()
export class HealthController {
  constructor(private readonly readiness: Readiness) {}

  @Get('livez')
  @Header('content-type', JSON_TYPE)
  @Doc({
    operationId: 'getLivez',
    tag: 'health',
    summary: 'The process is alive',
    ok: answer('It is.'),
    errors: ['invalid_request'],
    open: true,
  })
  livez(): string {
    return OK;
  }

  @Get('readyz')
  @Header('content-type', JSON_TYPE)
  @Doc({
    operationId: 'getReadyz',
    tag: 'health',
    summary: 'The agent is warm and can answer',
    description: '503 until discovery and two sweeps are done, while the agent drains, and while host discovery fails.',
    ok: answer('It can.'),
    errors: ['invalid_request', 'unavailable'],
    open: true,
  })
  readyz(): string {
    const reason = this.readiness.reason();
    if (reason !== null) throw new ApiError('unavailable', reason, { 'retry-after': '1' });
    return OK;
  }

  @Get('health')
  @Header('content-type', JSON_TYPE)
  @Doc({
    operationId: 'getHealth',
    tag: 'health',
    summary: 'The same as livez, for clients of hypeman',
    ok: answer('It is.'),
    errors: ['invalid_request'],
    open: true,
  })
  health(): string {
    return OK;
  }
}
