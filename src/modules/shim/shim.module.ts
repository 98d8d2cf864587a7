import { Module } from '@nestjs/common';
import { PassThrough } from './pass-through.js';
import { ShimScraper } from './scraper.js';

/** What shims of Kata sandboxes say over their sockets. */
@Module({
  providers: [ShimScraper, { provide: PassThrough, useExisting: ShimScraper }],
  exports: [ShimScraper, PassThrough],
})
export class ShimModule {}
