import { Module } from '@nestjs/common';
import { ShimModule } from '../shim/shim.module.js';
import { VmmAsker } from './asker.js';

/** What VMMs say of themselves over their own sockets. */
@Module({ imports: [ShimModule], providers: [VmmAsker], exports: [VmmAsker] })
export class VmmModule {}
