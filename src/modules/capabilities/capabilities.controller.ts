import { Controller, Get, Header, UseFilters } from '@nestjs/common';
import { Doc } from '../../http/doc.js';
import { ProblemFilter } from '../../http/problem.filter.js';
import { Collection } from '../collection/collection.js';
import { HostCollection } from '../collection/host-collection.js';
import { type CapabilitiesDocument, documentOf } from './document.js';
import { HostProber } from './prober.js';

/** What this host gives, what it does not, and what to do about it. */
@Controller('capabilities')
@UseFilters(ProblemFilter)
export class CapabilitiesController {
  constructor(
    private readonly prober: HostProber,
    private readonly collection: Collection,
    private readonly ofHost: HostCollection,
  ) {}

  @Get()
  @Header('cache-control', 'no-store')
  @Doc({
    operationId: 'getCapabilities',
    tag: 'host',
    summary: 'What this host gives, what it does not, why, and what to do about it',
    description:
      'One entry a capability, always all of them in the same order. Looked at anew every 5 seconds at most; no VMM is touched and no socket opened for it. Values that are missing for one instance alone stand in `collectors` of its statistics.',
    ok: { description: 'All capabilities.', contentType: 'application/json', schema: 'Capabilities', example: 'capabilities.json' },
    errors: ['unauthorized'],
  })
  async all(): Promise<CapabilitiesDocument> {
    return documentOf(await this.prober.survey(), this.collection.sampler.states, this.ofHost.states);
  }
}
