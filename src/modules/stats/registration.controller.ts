import { Body, Controller, Delete, Headers, HttpCode, Optional, Param, Put, UseFilters } from '@nestjs/common';
import { Doc } from '../../http/doc.js';
import { ProblemFilter } from '../../http/problem.filter.js';
import { TokenSet } from '../../http/tokens.js';
import { ApiError } from '../../model/errors.js';
import { ID_PATTERN } from '../../model/instance.js';
import { Settings } from '../../model/settings.js';
import { Collection } from '../collection/collection.js';
import { RegistrationSource } from '../instances/registration.source.js';
import { Registry } from '../instances/registry.js';
import { InstanceView } from './instance.view.js';

/** For control planes that launch VMs themselves. Off without a token of its own; what is registered survives a restart. */
@Controller('instances')
@UseFilters(ProblemFilter)
export class RegistrationController {
  constructor(
    private readonly registry: Registry,
    private readonly collection: Collection,
    private readonly view: InstanceView,
    private readonly settings: Settings,
    @Optional() private readonly source?: RegistrationSource,
  ) {}

  @Put(':id')
  @Doc({
    operationId: 'registerInstance',
    tag: 'instances',
    summary: 'Register an instance, or replace its registration',
    description: 'The process is believed only when its start time is the one given. Needs a token of source.registration.token-file.',
    ok: {
      description: 'The instance as it is known now.',
      contentType: 'application/json',
      schema: 'Instance',
      example: 'two-qemu/instance.json',
    },
    errors: [
      'invalid_id',
      'invalid_request',
      'unauthorized',
      'method_not_allowed',
      'conflict',
      'payload_too_large',
      'unsupported_media_type',
      'unavailable',
    ],
    body: 'Registration',
  })
  async put(
    @Param('id') id: string,
    // No pipe: it would judge the body before the token. The source validates it.
    @Body() body: unknown,
    @Headers('authorization') authorization?: string,
  ): Promise<object> {
    const source = this.admit(id, authorization);
    await source.put(id, body);
    await this.registry.rescanAfresh();
    const instance = this.registry.get(id);
    await this.collection.fresh(instance);
    return this.view.one(instance);
  }

  @Delete(':id')
  @HttpCode(204)
  @Doc({
    operationId: 'forgetInstance',
    tag: 'instances',
    summary: 'Forget a registration',
    description: 'An instance that another source knows stays listed. Needs a token of source.registration.token-file.',
    ok: { status: 204, description: 'It is forgotten.' },
    errors: ['invalid_id', 'unauthorized', 'not_found', 'method_not_allowed', 'unavailable'],
  })
  async delete(@Param('id') id: string, @Headers('authorization') authorization?: string): Promise<void> {
    const source = this.admit(id, authorization);
    if (!(await source.delete(id))) throw new ApiError('not_found', `Container ID (${id}) does not exist`);
    await this.registry.rescanAfresh();
  }

  private admit(id: string, authorization: string | undefined): RegistrationSource {
    const tokens = new TokenSet(this.settings.registrationTokens);
    if (!this.source || tokens.empty) {
      throw new ApiError('method_not_allowed', 'registration is off; source.registration.token-file turns it on', { allow: 'GET, HEAD' });
    }
    if (!tokens.accepts(authorization)) {
      throw new ApiError('unauthorized', 'a token of source.registration.token-file is needed', {
        'www-authenticate': 'Bearer realm="vmgauge registration"',
      });
    }
    if (!ID_PATTERN.test(id)) throw new ApiError('invalid_id', `an id is 1 to 128 characters of ${ID_PATTERN.source}`);
    return this.source;
  }
}
