import { Module } from '@nestjs/common';
import { Upstreams } from '../exposition/upstream-families.js';
import { UpstreamScraper } from './scraper.js';

/** What other exporters say. */
@Module({
  providers: [UpstreamScraper, { provide: Upstreams, useExisting: UpstreamScraper }],
  exports: [UpstreamScraper, Upstreams],
})
export class UpstreamsModule {}
